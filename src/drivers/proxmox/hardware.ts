/** What the API truly tells of a node's hardware: disks, bridges, versions, clock. The rest is 'unknown': the BMC may know it. */
import type { NodeName } from '#domain/ids'
import type { Known } from '#domain/measured'
import type { Hardware } from '#domain/node'
import { type ProxmoxClient, path } from './client.ts'
import { clockDifferenceMs } from './clock-difference.ts'
import type { ProxmoxConfig } from './config.ts'
import { lookAtNode, versionsOf } from './look-node.ts'
import { sightOf } from './sight.ts'
import * as wire from './wire.ts'

export async function hardware(client: ProxmoxClient, config: ProxmoxConfig, node: NodeName): Promise<Hardware> {
  // The status must be readable: a node that does not answer has no hardware to compare.
  await client.get(wire.nodeStatus, { doing: `read the status of ${node}`, path: path`/nodes/${node}/status` })
  const sight = sightOf(client, undefined)
  const [facts, disks, packages, clockSkewMs, linksDown] = await Promise.all([
    lookAtNode(sight, node),
    sight.see(
      wire.disks,
      { doing: `list the disks of ${node}`, path: path`/nodes/${node}/disks/list`, params: { skipsmart: true } },
      undefined,
    ),
    sight.see(
      wire.packages,
      { doing: `list the packages of ${node}`, path: path`/nodes/${node}/apt/versions` },
      undefined,
    ),
    clockSkew(client, config, node),
    config.corosyncLinksDown?.(),
  ])
  return {
    dimms: 'unknown',
    disks: disks === undefined ? 'unknown' : disks.map(diskOf).sort((a, b) => a.serial.localeCompare(b.serial)),
    // Names are told, speeds are not.
    nics: 'unknown',
    fans: 'unknown',
    pcie: 'unknown',
    pcieCorrectedErrorCount: 'unknown',
    clockSkewMs,
    corosyncLinksDown:
      linksDown === undefined ? 'unknown' : linksDown.filter((down) => down.node === node).map((down) => down.link),
    bondsDegraded: 'unknown',
    mtuMismatches: 'unknown',
    bridges: facts.bridges.length === 0 ? 'unknown' : facts.bridges,
    versions: versionsOf(facts.status, packages),
  }
}

/** Virtual and some USB disks have no serial (recorded: 'unknown'): then the world-wide name, then the place says which it is. */
function diskOf(disk: {
  readonly serial?: string | undefined
  wwn?: string | undefined
  devpath: string
  size?: number | undefined
}) {
  const told = (text: string | undefined) =>
    text === undefined || text === 'unknown' || text === '' ? undefined : text
  return { serial: told(disk.serial) ?? told(disk.wwn) ?? `no serial, ${disk.devpath}`, bytes: disk.size ?? 0 }
}

/** Against our own clock, at the middle of the question. Recorded: 500 where the node cannot tell its time zone. */
async function clockSkew(client: ProxmoxClient, config: ProxmoxConfig, node: NodeName): Promise<Known<number>> {
  const askedAtMs = await config.clock.nowMs()
  const reply = await client
    .ask(wire.nodeTime, { doing: `ask ${node} for its time`, path: path`/nodes/${node}/time` })
    .catch(() => undefined)
  const answeredAtMs = await config.clock.nowMs()
  if (reply?.is !== 'data') return 'unknown'
  return clockDifferenceMs({ nodeMs: reply.data.time * 1000, askedAtMs, answeredAtMs })
}
