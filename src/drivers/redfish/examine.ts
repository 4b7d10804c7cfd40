/** What the doctor says of a BMC that speaks Redfish. It looks, and changes nothing. */
import { z } from 'zod'
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { WrongCertificate } from '#drivers/tls/pinned-connector'
import { type Asker, members, read } from './asker.ts'
import { type RedfishNode, redfishClient } from './client.ts'
import { layoutOf, systemOf } from './layout.ts'
import { fansOf } from './parts.ts'
import { managerResource, type System, toRestorePolicy } from './resources.ts'

export type ExamineRedfish = {
  readonly node: NodeName
  readonly target: RedfishNode
  /** Of the node itself; 'unknown' where nobody said. */
  readonly expected: { readonly systemUuid: string; readonly serial: string }
  readonly nowMs: number
}

const BLIND = ['detect', 'isolate', 'repair', 'verify'] as const
const CLOCK_LIMIT_MS = 300_000
const ACCOUNTS = '/redfish/v1/AccountService/Accounts'

type Judged = Omit<Check, 'area' | 'subject'>

/** One check for each thing that is wrong; one that all is well else. Never throws for what it finds. */
export async function examineRedfish(asked: ExamineRedfish): Promise<readonly Check[]> {
  const { node, target } = asked
  const base = { area: 'bmc', subject: `${node}, ${target.url}` } as const
  const client = redfishClient(node, target)
  const asker: Asker = { node, client, system: target.system, known: {} }
  try {
    return (await judge(asked, asker)).map((check) => ({ ...base, ...check }))
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return [{ ...base, ...failedCheck(asked, error, client.wasRefused()) }]
  } finally {
    await client.close()
  }
}

function failedCheck({ node, target }: ExamineRedfish, error: DriverError, isRefused: boolean): Judged {
  const place = `nodes.${node}.bmc`
  if (error.cause instanceof WrongCertificate) {
    const mend = `ask whoever changed it; then correct ${place}.fingerprint256`
    return { outcome: 'dangerous', text: error.cause.message, stages: BLIND, mend }
  }
  const [text, mend] = isRefused
    ? ['answers, and refuses this user and password; no other was tried', `correct ${place}.user and password`]
    : error.retry === 'never'
      ? [error.message, `correct ${place}`]
      : [error.message, `is it on the network? ping ${new URL(target.url).hostname}`]
  return { outcome: 'missing', text, stages: BLIND, mend }
}

async function judge(asked: ExamineRedfish, asker: Asker): Promise<readonly Judged[]> {
  const system = await systemOf(asker)
  const fans = (await fansOf(asker)).filter(({ state }) => state !== 'absent')
  const wrong = [
    identityCheck(asked, system),
    fans.length > 0
      ? undefined
      : missing('shows no fan', 'update the BMC’s firmware, or watch this node by Prometheus'),
    await logCheck(asker),
    await clockCheck(asked, asker),
    policyCheck(system),
    await privilegeCheck(asked, asker),
  ].filter((check) => check !== undefined)
  if (wrong.length > 0) return wrong
  return [{ outcome: 'fine', text: `is this node’s by UUID or serial; ${fans.length} fans, log and clock are read` }]
}

const missing = (text: string, mend: string): Judged => ({
  outcome: 'missing',
  text,
  stages: ['detect', 'verify'],
  mend,
})
const dangerous = (text: string, mend: string): Judged => ({ outcome: 'dangerous', text, mend })

/** The same rule as before power is switched: one proof that holds, and none that speaks against it. */
function identityCheck({ node, expected }: ExamineRedfish, { UUID, SerialNumber }: System): Judged | undefined {
  const serial = SerialNumber?.trim()
  const uuidHolds = UUID ? UUID.toLowerCase() === expected.systemUuid.toLowerCase() : undefined
  const serialHolds = !serial || expected.serial === 'unknown' ? undefined : serial === expected.serial
  if (uuidHolds === false || serialHolds === false) {
    const text = `is another machine’s: UUID ${UUID ?? 'unknown'}, serial ${serial ?? 'unknown'}; these BMCs may be swapped`
    return dangerous(
      text,
      `on ${node}: dmidecode -s system-uuid; dmidecode -s system-serial-number; then correct nodes.${node}`,
    )
  }
  if (uuidHolds === true || serialHolds === true) return undefined
  return {
    ...missing('tells neither UUID nor serial: nobody knows whose it is', 'enter the serial at the BMC'),
    stages: BLIND,
  }
}

const counted = z.object({ 'Members@odata.count': z.number().nullish() })

/** A log that writes over its oldest records is never full. */
async function logCheck(asker: Asker): Promise<Judged | undefined> {
  const { log } = await layoutOf(asker)
  if (!log?.Entries) return missing('has no event log of its hardware', 'update the BMC’s firmware')
  const { 'Members@odata.count': count } = await read(asker, 'read the event log', log.Entries['@odata.id'], counted)
  const limit = log.MaxNumberOfRecords
  if (!limit || !count || count < limit || log.OverWritePolicy === 'WrapsWhenFull') return undefined
  return missing(`has a full event log (${count} records): nothing new may be written`, `save ${log.Id}, then clear it`)
}

async function clockCheck({ nowMs }: ExamineRedfish, asker: Asker): Promise<Judged | undefined> {
  const { manager } = await layoutOf(asker)
  if (manager === undefined) return undefined
  const { DateTime } = await read(asker, 'read the manager', manager, managerResource)
  const offMs = Math.abs(Date.parse(DateTime ?? '') - nowMs)
  if (Number.isNaN(offMs) || offMs <= CLOCK_LIMIT_MS) return undefined
  return dangerous(`has a clock that is ${Math.round(offMs / 60_000)} min off`, 'set its time server')
}

function policyCheck({ PowerRestorePolicy }: System): Judged | undefined {
  if (toRestorePolicy(PowerRestorePolicy) !== 'always-on') return undefined
  const words = 'starts the node by itself when current comes back, with hands still inside'
  return dangerous(words, 'set its power restore policy to the last state')
}

const account = z.object({ UserName: z.string().nullish(), RoleId: z.string().nullish() })

/** An operator may not read the accounts of others at many makers: then nothing is said. */
async function privilegeCheck({ target }: ExamineRedfish, asker: Asker): Promise<Judged | undefined> {
  const accounts = await members(asker, 'read the accounts', ACCOUNTS, account).catch((error: unknown) => {
    if (!(error instanceof DriverError)) throw error
    return []
  })
  const ours = accounts.find(({ UserName }) => UserName === target.user)
  if (ours?.RoleId !== 'Administrator') return undefined
  return dangerous(`lets ${target.user} do more than is needed: Administrator`, `give ${target.user} the role Operator`)
}
