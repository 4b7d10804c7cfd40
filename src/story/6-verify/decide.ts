/** Is the hardware as it was, and healthy? Positive evidence only: what nobody could see is said, not taken for good. Pure. */
import type { Blocker, BlockerKind } from '#domain/blocker'
import type { NodeName } from '#domain/ids'
import type { Known } from '#domain/measured'
import type { Hardware } from '#domain/node'
import type { Signal } from '#domain/signal'

const CLOCK_SKEW_LIMIT_MS = 1_000

/** Compares a node with itself before the repair. */
export function hardwareBlockers(node: NodeName, before: Hardware, after: Hardware): readonly Blocker[] {
  const differ = (kind: BlockerKind, text: string): Blocker => ({
    kind,
    node,
    text,
    lifts: kind === 'hardware-differs' ? 'back to repair, or an approver lifts it with his reason' : 'it is mended',
  })
  return [
    ...lost('DIMM', before.dimms, after.dimms, (dimm) => `${dimm.slot} ${gib(dimm.bytes)}`),
    ...lost('disk', before.disks, after.disks, (disk) => disk.serial),
    ...lost('NIC', before.nics, after.nics, (nic) => `${nic.name} at ${nic.bitsPerSecond / 1e9} Gbit/s`),
    ...lost('fan', before.fans, after.fans, (fan) => fan),
    ...lost('PCIe slot', before.pcie, after.pcie, (slot) => `${slot.slot} x${slot.width}`),
    ...lost('PCI device', before.pciDevices ?? 'unknown', after.pciDevices ?? 'unknown', (device) => device),
    ...pcieErrors(before.pcieCorrectedErrorCount, after.pcieCorrectedErrorCount),
  ]
    .map((text) => differ('hardware-differs', text))
    .concat(networkTexts(before, after).map((text) => differ('network-differs', text)))
    .concat(versionTexts(before, after).map((text) => differ('versions-differ', text)))
    .concat(clockTexts(after).map((text) => differ('clock-not-in-sync', text)))
    .concat(listed(after.corosyncLinksDown).map((link) => differ('corosync-link-down', `corosync ${link} is down`)))
}

const gib = (bytes: number) => `${Math.round(bytes / 2 ** 30)} GiB`

/** What was there before and is not now, by its full description: a slower NIC is not the NIC that was there. */
function lost<T>(what: string, before: Known<readonly T[]>, after: Known<readonly T[]>, name: (one: T) => string) {
  if (before === 'unknown') return []
  if (after === 'unknown') return [`${what}s were known before and nobody can see them now`]
  const now = new Map<string, number>()
  for (const one of after) now.set(name(one), (now.get(name(one)) ?? 0) + 1)
  const missing: string[] = []
  for (const one of before) {
    const left = now.get(name(one)) ?? 0
    if (left === 0) missing.push(name(one))
    else now.set(name(one), left - 1)
  }
  return missing.map((one) => `${what} ${one} is missing`)
}

function pcieErrors(before: Known<number>, after: Known<number>): readonly string[] {
  if (before === 'unknown' || after === 'unknown' || after <= before) return []
  return [`PCIe corrected errors rose by ${after - before} since the repair: a bad seat`]
}

function networkTexts(before: Hardware, after: Hardware): readonly string[] {
  const bonds = listed(after.bondsDegraded).filter((bond) => !listed(before.bondsDegraded).includes(bond))
  const mtus = listed(after.mtuMismatches).filter((one) => !listed(before.mtuMismatches).includes(one))
  return [
    ...bonds.map((bond) => `bond ${bond} has lost a link`),
    ...mtus.map((one) => `MTU ${one} does not pass end to end`),
    ...lost('bridge', before.bridges, after.bridges, (bridge) => bridge),
  ]
}

function versionTexts(before: Hardware, after: Hardware): readonly string[] {
  const names = ['kernel', 'pve', 'qemu', 'ceph'] as const
  return names.flatMap((name) => {
    const [was, now] = [before.versions[name], after.versions[name]]
    return was === undefined || now === undefined || was === now ? [] : [`${name} was ${was} and is ${now}`]
  })
}

function clockTexts({ clockSkewMs }: Hardware): readonly string[] {
  if (clockSkewMs === 'unknown' || Math.abs(clockSkewMs) <= CLOCK_SKEW_LIMIT_MS) return []
  return [`the clock is ${Math.round(clockSkewMs)} ms off`]
}

const listed = (all: Known<readonly string[]>): readonly string[] => (all === 'unknown' ? [] : all)

export type FanLook = readonly { readonly part: string; readonly state: 'ok' | 'low' | 'absent' | 'unreadable' }[]

/** One look of the soak. */
export function soakBlockers(
  node: NodeName,
  fans: FanLook,
  signals: readonly Signal[],
  lastKnownId = 0,
): readonly Blocker[] {
  const lifts = 'back to repair'
  const bad = fans.filter((fan) => fan.state !== 'ok')
  const isNew = isNewAfter(lastKnownId, signals)
  const records = signals.filter(
    (one) => one.is === 'part' && one.edge === 'assert' && one.state !== 'ok' && isNew(one),
  )
  return [
    ...bad.map((fan): Blocker => ({ kind: 'fans-out-of-band', node, text: `${fan.part} is ${fan.state}`, lifts })),
    ...(records.length === 0 ? [] : [selBlocker(node, records, lifts)]),
  ]
}

/** A log may tell records once more; in one that was cleared the numbers begin again. */
function isNewAfter(lastKnownId: number, signals: readonly Signal[]): (one: Signal) => boolean {
  if (isCleared(signals)) return () => true
  return (one) => one.is !== 'part' || one.recordId === undefined || one.recordId > lastKnownId
}

const isCleared = (signals: readonly Signal[]) => signals.some((one) => one.is === 'bmc' && one.event === 'log-cleared')

/** The highest number that was told so far. */
export function lastRecordId(lastKnownId: number, signals: readonly Signal[]): number {
  const ids = signals.flatMap((one) => (one.is === 'part' && one.recordId !== undefined ? [one.recordId] : []))
  return Math.max(isCleared(signals) ? 0 : lastKnownId, ...ids)
}

function selBlocker(node: NodeName, records: readonly Signal[], lifts: string): Blocker {
  const parts = [...new Set(records.map((one) => (one.is === 'part' ? one.part : 'BMC')))].join(', ')
  const count = records.length === 1 ? '1 new record' : `${records.length} new records`
  const text = `the event log has ${count} since the repair, of ${parts}`
  return { kind: 'sel-not-clean', node, text, lifts }
}

/** What was proven, in sentences, and what could not be seen. */
export function evidenceOf(before: Hardware, after: Hardware, soakS: number, fanCount: number): readonly string[] {
  const count = (all: Known<readonly unknown[]>) => (all === 'unknown' ? 'not seen' : `${all.length}`)
  const werePcieErrorsSeen = before.pcieCorrectedErrorCount !== 'unknown' && after.pcieCorrectedErrorCount !== 'unknown'
  return [
    `${wordOnHardware(before, after)}: DIMMs ${count(after.dimms)}, disks ${count(after.disks)}, NICs ${count(after.nics)}, fans ${count(after.fans)}`,
    fanCount === 0 ? 'fans: not seen' : `${fanCount} fans in band for ${Math.round(soakS / 60)} min`,
    'event log clean since the repair',
    werePcieErrorsSeen ? 'PCIe errors: none new' : 'PCIe error counts: not seen',
    ...(after.clockSkewMs === 'unknown' ? ['clock: not seen'] : [`clock ${Math.round(after.clockSkewMs)} ms off`]),
  ]
}

/** What differs and is here all the same was lifted by an approver: it is not as it was, and nobody is told that it were. */
function wordOnHardware(before: Hardware, after: Hardware): string {
  const differing = hardwareBlockers('' as NodeName, before, after).filter(({ kind }) => kind === 'hardware-differs')
  if (differing.length === 0) return 'hardware as before'
  return `hardware not as before (${differing.map(({ text }) => text).join('; ')}), let pass by an approver`
}

/** The node's own word beside the BMC's: each knows parts that the other does not. */
export function mergeHardware(ofNode: Hardware, ofBmc: Partial<Hardware>): Hardware {
  const pick = <T>(one: Known<T>, other: Known<T> | undefined): Known<T> =>
    one === 'unknown' ? (other ?? 'unknown') : one
  return {
    ...ofNode,
    dimms: pick(ofNode.dimms, ofBmc.dimms),
    disks: pick(ofNode.disks, ofBmc.disks),
    nics: pick(ofNode.nics, ofBmc.nics),
    fans: pick(ofNode.fans, ofBmc.fans),
    pcie: pick(ofNode.pcie, ofBmc.pcie),
    pcieCorrectedErrorCount: pick(ofNode.pcieCorrectedErrorCount, ofBmc.pcieCorrectedErrorCount),
  }
}
