/** Each node's serial, UUID, place and BMC: what no API tells, and what a BMC is proven against. */
import { readFileSync } from 'node:fs'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { ipmiBmc } from '#drivers/ipmi/ipmi-bmc'
import { redfishBmc } from '#drivers/redfish/redfish-bmc'
import { systemClock } from '#drivers/system/clock'
import type { Bmc, BmcIdentity } from '#ports/bmc'
import { identityBlockers } from '#story/conditions/who'
import { BadInput } from '../bad-input.ts'
import { type Asker, askUntil } from './asker.ts'
import { type BmcAddress, parseBmcAddress } from './bmc-address.ts'
import type { InitFlags } from './flags.ts'
import { gatherCommand, type NodeLine, parseNodesFile } from './nodes-file.ts'
import { type GivenSecret, namedSecret } from './secrets.ts'
import { trustedFingerprint } from './trust.ts'

export type NodePart = NodeLine & {
  readonly bmc: BmcAddress & { readonly fingerprint256?: string }
  readonly password: GivenSecret
}

/** The nodes of which everything is known; the doctor names the others. */
export async function gatherNodes(
  names: readonly string[],
  flags: InitFlags,
  asker: Asker,
): Promise<readonly NodePart[]> {
  const given = await givenLines(names, flags, asker)
  const addresses = byNode('--bmc', flags.bmc, names)
  const passwords = byNode('--bmc-password', flags.bmcPassword, names)
  const parts: NodePart[] = []
  for (const node of names) {
    const line = given.get(node) ?? (await askedLine(node, asker))
    if (line === undefined) continue
    const bmc = await bmcOf(line, addresses.get(node), asker)
    if (bmc === undefined) continue
    const secret = passwords.get(node) ?? passwords.get('')
    const password = await passwordOf(node, secret, parts.at(-1)?.password, asker)
    if (password === undefined) continue
    parts.push(await tried({ ...line, bmc, password }, flags, asker))
  }
  return parts
}

/** `NODE=TEXT` by node, and `TEXT` alone under ''. */
function byNode(flag: string, texts: readonly string[], names: readonly string[]): ReadonlyMap<string, string> {
  const pairs = texts.map((text) => {
    const [, node = '', rest = ''] = /^(?:([\w-]+)=)?(.*)$/.exec(text) ?? []
    if (node !== '' && !names.includes(node)) {
      throw new BadInput([`${flag}: the cluster has no node ${node}; it has ${names.join(', ')}`])
    }
    return [node, rest] as const
  })
  return new Map(pairs)
}

async function givenLines(
  names: readonly string[],
  flags: InitFlags,
  asker: Asker,
): Promise<ReadonlyMap<string, NodeLine>> {
  if (flags.nodes === undefined && asker.isPerson) {
    asker.say(
      'Of each node Coulisse needs serial and UUID, to prove that a BMC is this node’s. This gathers them, where your ssh reaches:',
    )
    asker.say(`  ${gatherCommand(names)}`)
    asker.say('More columns may follow: site,room,rack,unit,bmc (redfish://USER@HOST or ipmi://USER@HOST).')
  }
  const path =
    flags.nodes ?? (await asker.ask({ question: 'That file (Enter: type it in)', flag: '--nodes', preset: '' }))
  if (path === '') return new Map()
  const lines = readNodesFile(path)
  const strangers = lines.filter(({ node }) => !names.includes(node))
  if (strangers.length > 0) {
    throw new BadInput(
      strangers.map(({ node }) => `${path}: the cluster has no node ${node}; it has ${names.join(', ')}`),
    )
  }
  return new Map(lines.map((line) => [line.node, line]))
}

/** Throws BadInput with every fault. */
export function readNodesFile(path: string): readonly NodeLine[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new BadInput([`--nodes: ${path}: cannot be read: ${error instanceof Error ? error.message : error}`])
  }
  return parseNodesFile(text, path)
}

async function askedLine(node: string, asker: Asker): Promise<NodeLine | undefined> {
  if (!asker.isPerson) return undefined
  const serial = await asker.ask({
    question: `${node}: serial (Enter: leave ${node} out)`,
    flag: '--nodes',
    preset: '',
  })
  if (serial === '') return undefined
  return askUntil(
    asker,
    { question: `${node}: UUID (dmidecode -s system-uuid)`, flag: '--nodes' },
    {
      given: undefined,
      parse: async (uuid) => {
        const [line] = parseNodesFile([node, serial, uuid].join(','), node)
        const place = await asker.ask({ question: `${node}: site,room,rack,unit`, flag: '--nodes', preset: '' })
        return place === '' ? line : (parseNodesFile([node, serial, uuid, place].join(','), node)[0] ?? line)
      },
    },
  )
}

async function bmcOf(line: NodeLine, given: string | undefined, asker: Asker): Promise<BmcAddress | undefined> {
  if (given !== undefined) return parseBmcAddress('--bmc', given)
  if (line.bmc !== undefined) return line.bmc
  if (!asker.isPerson) return undefined
  const question = `${line.node}: BMC, as redfish://USER@HOST or ipmi://USER@HOST (Enter: leave ${line.node} out)`
  return askUntil(
    asker,
    { question, flag: '--bmc', preset: '' },
    { given: undefined, parse: (text) => (text === '' ? undefined : parseBmcAddress('--bmc', text)) },
  )
}

/** Many clusters have one password for all their BMCs. */
async function passwordOf(
  node: string,
  given: string | undefined,
  before: GivenSecret | undefined,
  asker: Asker,
): Promise<GivenSecret | undefined> {
  if (given !== undefined) return namedSecret('--bmc-password', given)
  const flag = `--bmc-password ${node}=file:PATH`
  const question = `${node}: password of the BMC${before === undefined ? '' : ' (Enter: the same as before)'}`
  const value = await asker.askSecret({ question, flag })
  if (value !== undefined) return { is: 'typed', file: `bmc-${node}`, value }
  if (before === undefined) asker.say(`  ${node} is left out`)
  return before
}

/** A BMC that does not answer is kept: the doctor says so at the end. One whose certificate nobody trusts is not. */
async function tried(part: NodePart, flags: InitFlags, asker: Asker): Promise<NodePart> {
  const { node, bmc } = part
  try {
    const pinned =
      bmc.kind === 'redfish'
        ? { ...part, bmc: { ...bmc, fingerprint256: await trustedBmc(node, bmc.url, flags, asker) } }
        : part
    const identity = await identityOf(pinned)
    const [doubt] = identityBlockers(nodeName(node), { is: 'answered', bmc: identity, dmi: part })
    asker.say(doubt === undefined ? `  ${node}: the BMC answers, and is this node’s` : `  ${node}: ${doubt.text}`)
    return pinned
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    asker.say(`  ${node}: ${error.message}`)
    return part
  }
}

const trustedBmc = (node: string, url: string, flags: InitFlags, asker: Asker) =>
  trustedFingerprint({ what: `The BMC of ${node}`, url, compare: 'with the one on its own page' }, flags, asker)

async function identityOf({ node, bmc, password }: NodePart): Promise<BmcIdentity> {
  const clock = systemClock()
  if (bmc.kind === 'ipmi') {
    const { host, port, user } = bmc
    return identityBy(ipmiBmc({ nodes: { [node]: { host, port, user, password: password.value } }, clock }), node)
  }
  return identityBy(redfishBmc({ nodes: { [node]: { ...bmc, password: password.value } }, clock }), node)
}

async function identityBy(driver: Pick<Bmc, 'identity'> & { close(): Promise<void> }, node: string) {
  try {
    return await driver.identity(nodeName(node))
  } finally {
    await driver.close()
  }
}
