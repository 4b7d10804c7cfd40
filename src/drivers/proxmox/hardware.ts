/** What the API truly tells of a node's hardware: disks, bridges, versions, clock. The rest is 'unknown': the BMC may know it. */
import type { z } from 'zod'
import type { NodeName } from '#domain/ids'
import type { Known } from '#domain/measured'
import type { Hardware } from '#domain/node'
import { type ProxmoxClient, path } from './client.ts'
import { clockDifferenceMs } from './clock-difference.ts'
import type { ProxmoxConfig } from './config.ts'
import { bridgesOf, versionsOf } from './look-node.ts'
import { sightOf } from './sight.ts'
import * as wire from './wire.ts'

export async function hardware(client: ProxmoxClient, config: ProxmoxConfig, node: NodeName): Promise<Hardware> {
  // The status must be readable: a node that does not answer has no hardware to compare.
  const call = { doing: `read the status of ${node}`, path: path`/nodes/${node}/status` }
  const status = await client.get(wire.nodeStatus, call)
  const sight = sightOf(client, undefined)
  const [bridges = [], disks, pciDevices = [], packages, clockSkewMs, linksDown] = await Promise.all([
    bridgesOf(sight, node),
    sight.see(
      wire.disks,
      { doing: `list the disks of ${node}`, path: path`/nodes/${node}/disks/list`, params: { skipsmart: true } },
      undefined,
    ),
    sight.see(
      wire.pciDevices,
      { doing: `list the PCI devices of ${node}`, path: path`/nodes/${node}/hardware/pci` },
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
    // Devices are told, the width of their slots is not.
    pcie: 'unknown',
    pciDevices: pciDevices.length === 0 ? 'unknown' : pciDevices.map(pciNameOf).sort(),
    pcieCorrectedErrorCount: 'unknown',
    clockSkewMs,
    corosyncLinksDown:
      linksDown === undefined ? 'unknown' : linksDown.filter((down) => down.node === node).map((down) => down.link),
    bondsDegraded: 'unknown',
    mtuMismatches: 'unknown',
    bridges: bridges.length === 0 ? 'unknown' : bridges,
    versions: versionsOf(status, packages),
  }
}

/** '0x15b3:0x1015' where the node's list of names is older than the card. */
function pciNameOf(told: z.output<typeof wire.pciDevices>[number]): string {
  return `${told.vendor_name ?? told.vendor ?? 'unknown'} ${told.device_name ?? told.device ?? 'unknown'}`
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
