/** What the doctor says of a BMC that speaks IPMI. It looks, and changes nothing. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { noteBook } from './notes.ts'
import {
  decodeGuid,
  type GuidEncoding,
  parseFruSerial,
  parseGuid,
  parseRestorePolicy,
  parseSdrElist,
  parseSelInfo,
  parseSelTime,
  parseUserPrivilege,
} from './parse.ts'
import type { Refusal } from './refusal.ts'
import { type IpmiNode, ipmiSession } from './session.ts'

export type ExamineIpmi = {
  readonly node: NodeName
  readonly target: IpmiNode
  /** Of the node itself; 'unknown' where nobody said. */
  readonly expected: { readonly systemUuid: string; readonly serial: string }
  readonly nowMs: number
  readonly cacheDir?: string
  readonly command?: readonly string[]
}

const BLIND = ['detect', 'isolate', 'repair', 'verify'] as const
const CLOCK_LIMIT_MS = 300_000
/** 14 is the channel that the question comes in by. */
const COMMANDS = [
  'mc guid dump',
  'mc guid',
  'fru print 0',
  'sel info',
  'sel time get',
  'chassis status',
  'user list 14',
  'sdr elist',
]

/** One check for each thing that is wrong; one that all is well else. Never throws for what it finds. */
export async function examineIpmi(asked: ExamineIpmi): Promise<readonly Check[]> {
  const { node, target, cacheDir, command } = asked
  const base = { area: 'bmc', subject: `${node}, ${target.host}` } as const
  const notes = noteBook(cacheDir)
  const session = ipmiSession(node, target, { notes, ...(command === undefined ? {} : { command }) })
  try {
    const told = await session.askAll('look at the BMC', COMMANDS)
    if (told.is === 'refused') return [{ ...base, ...refusedCheck(asked, told.why) }]
    return judge(asked, told.answers).map((check) => ({ ...base, ...check }))
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return [{ ...base, outcome: 'missing', text: error.message, stages: BLIND, mend: 'apt-get install ipmitool' }]
  } finally {
    await notes.close()
  }
}

type Judged = Omit<Check, 'area' | 'subject'>

function refusedCheck({ node, target }: ExamineIpmi, why: Refusal): Judged {
  const place = `nodes.${node}.bmc`
  const words: Readonly<Record<Refusal, readonly [text: string, mend: string]>> = {
    'no-answer': [
      'does not answer',
      `ping ${target.host}; is IPMI over LAN switched on, and UDP ${target.port ?? 623} open?`,
    ],
    credentials: [
      'answers, and refuses this user and password; no other was tried',
      `correct ${place}.user and password`,
    ],
    privilege: ['does not let this user sign in as OPERATOR', `give ${target.user} the privilege OPERATOR at the BMC`],
    'cipher-suite': [
      'takes none of our cipher suites',
      `set ${place}.cipherSuite to one that it has (3 or 17 on most)`,
    ],
    'sessions-full': ['has no session free', 'end sessions that nobody uses, or restart the BMC'],
  }
  const [text, mend] = words[why]
  return { outcome: 'missing', text, stages: BLIND, mend }
}

function judge(asked: ExamineIpmi, answers: readonly string[]): readonly Judged[] {
  const [guidDump = '', guid = '', fru = '', selInfo = '', selTime = '', chassis = '', users = '', elist = ''] = answers
  const fans = parseSdrElist(elist).filter(({ kind, state }) => kind === 'fan' && state !== 'absent')
  const wrong = [
    identityCheck(asked, { guidDump, guid, fru }),
    fans.length > 0
      ? undefined
      : missing('shows no fan', 'update the BMC’s firmware, or watch this node by Prometheus'),
    logCheck(selInfo),
    clockCheck(asked, selTime),
    policyCheck(chassis),
    privilegeCheck(asked, users),
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

const ENCODINGS: readonly GuidEncoding[] = ['smbios', 'ipmi', 'rfc4122']

type Proof = { readonly guidDump: string; readonly guid: string; readonly fru: string }

/** The same rule as before power is switched: one proof that holds, and none that speaks against it. */
function identityCheck({ node, target, expected }: ExamineIpmi, { guidDump, guid, fru }: Proof): Judged | undefined {
  const { guidEncoding } = target
  const uuid = guidEncoding === undefined ? parseGuid(guid) : decodeGuid(guidDump, guidEncoding)
  const serial = parseFruSerial(fru)
  const wanted = expected.systemUuid.toLowerCase()
  const uuidHolds = uuid === undefined ? undefined : uuid === wanted
  const serialHolds = serial === undefined || expected.serial === 'unknown' ? undefined : serial === expected.serial
  if (uuidHolds === false) {
    const packed = ENCODINGS.find((one) => decodeGuid(guidDump, one) === wanted)
    if (packed !== undefined) {
      return dangerous(
        `says ${uuid}, which is this node’s UUID in another packing`,
        `set nodes.${node}.bmc.guidEncoding: ${packed}`,
      )
    }
  }
  if (uuidHolds === false || serialHolds === false) {
    const text = `is another machine’s: UUID ${uuid ?? 'unknown'}, serial ${serial ?? 'unknown'}; these BMCs may be swapped`
    return dangerous(
      text,
      `on ${node}: dmidecode -s system-uuid; dmidecode -s system-serial-number; then correct nodes.${node}`,
    )
  }
  if (uuidHolds === true || serialHolds === true) return undefined
  return {
    ...missing('tells neither UUID nor serial: nobody knows whose it is', 'write the serial into its FRU'),
    stages: BLIND,
  }
}

function logCheck(text: string): Judged | undefined {
  const info = parseSelInfo(text)
  if (info === undefined) return missing('does not show its event log', 'look at it: ipmitool … sel info')
  return info.full
    ? missing(
        `has a full event log (${info.entries} records): nothing new is written`,
        'save it, then: ipmitool … sel clear',
      )
    : undefined
}

function clockCheck({ nowMs }: ExamineIpmi, text: string): Judged | undefined {
  const atMs = parseSelTime(text)
  const mend = 'set its time server, or: ipmitool … sel time set now'
  if (atMs === 'unknown') return missing('has a clock that was never set: its records have no time', mend)
  const offMs = Math.abs(atMs - nowMs)
  return offMs > CLOCK_LIMIT_MS
    ? dangerous(`has a clock that is ${Math.round(offMs / 60_000)} min off`, mend)
    : undefined
}

function policyCheck(text: string): Judged | undefined {
  if (parseRestorePolicy(text) !== 'always-on') return undefined
  const words = 'starts the node by itself when current comes back, with hands still inside'
  return dangerous(words, 'ipmitool … chassis policy previous')
}

function privilegeCheck({ target }: ExamineIpmi, text: string): Judged | undefined {
  if (parseUserPrivilege(text, target.user) !== 'ADMINISTRATOR') return undefined
  return dangerous(
    `lets ${target.user} do more than is needed: ADMINISTRATOR`,
    `give ${target.user} the privilege OPERATOR`,
  )
}
