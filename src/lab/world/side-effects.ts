/** What a repair may break: a reseated board loses a DIMM, a cable sits in the wrong port. Shown by the next look at the hardware. */
import type { Hardware } from '#domain/node'
import type { WorldNode } from './state.ts'

type Change = (hardware: Hardware) => Partial<Hardware>

const LOST_DIMM = 2
const SLOW_NIC_BITS_PER_SECOND = 1e9

const CHANGES = {
  'dimm-missing': ({ dimms }) => ({ dimms: dimms === 'unknown' ? dimms : dimms.filter((_, at) => at !== LOST_DIMM) }),
  'disk-missing': ({ disks }) => ({ disks: disks === 'unknown' ? disks : disks.slice(0, -1) }),
  'nic-slower': ({ nics }) => ({
    nics:
      nics === 'unknown'
        ? nics
        : nics.with(0, { name: nics[0]?.name ?? 'eno1', bitsPerSecond: SLOW_NIC_BITS_PER_SECOND }),
  }),
  'pcie-narrower': ({ pcie }) => ({
    pcie: pcie === 'unknown' ? pcie : pcie.with(0, { slot: pcie[0]?.slot ?? '', width: 4 }),
  }),
  'pcie-errors': () => ({ pcieCorrectedErrorCount: 37 }),
  'clock-skewed': () => ({ clockSkewMs: 42_000 }),
  'corosync-link-down': () => ({ corosyncLinksDown: ['1'] }),
  'bond-degraded': () => ({ bondsDegraded: ['bond0: eno2 is down'] }),
  'mtu-wrong': () => ({ mtuMismatches: ['vmbr1: 1500 instead of 9000'] }),
  'bridge-missing': ({ bridges }) => ({ bridges: bridges === 'unknown' ? bridges : bridges.slice(1) }),
} as const satisfies Record<string, Change>

/** Besides the hardware: another kernel, a fan that does not turn, a log that is not clean after the boot, no boot at all. */
const OTHERS = ['versions-differ', 'fan-out-of-band', 'sel-dirty', 'does-not-boot'] as const

export const SIDE_EFFECTS: readonly string[] = [...Object.keys(CHANGES), ...OTHERS]

const changeOf = (effect: string): Change | undefined =>
  Object.hasOwn(CHANGES, effect) ? CHANGES[effect as keyof typeof CHANGES] : undefined

export function applySideEffect(node: WorldNode, effect: string): void {
  node.repairEffects.push(effect)
  const change = changeOf(effect)
  if (change) node.hardware = { ...node.hardware, ...change(node.hardware) }
  fitMemory(node)
  if (effect === 'versions-differ') node.versions = { ...node.versions, kernel: '6.17.9-1-pve' }
  const fan = effect === 'fan-out-of-band' ? node.fans[0] : undefined
  if (fan) fan.stopped = true
}

/** The system sees the DIMMs that are there: a node that lost one has that much less memory for guests. */
function fitMemory(node: WorldNode): void {
  const sizeOf = ({ dimms }: Hardware) => (dimms === 'unknown' ? 0 : dimms.reduce((sum, { bytes }) => sum + bytes, 0))
  const lostBytes = sizeOf(node.baseline) - sizeOf(node.hardware) - (node.lostMemoryBytes ?? 0)
  if (lostBytes === 0) return
  node.memoryBytes -= lostBytes
  node.lostMemoryBytes = (node.lostMemoryBytes ?? 0) + lostBytes
}

/** He looks again at what the last round left: the reseated DIMM is back. */
export function mendSideEffects(node: WorldNode): void {
  if (node.repairEffects.length === 0) return
  node.repairEffects = []
  node.hardware = structuredClone(node.baseline)
  fitMemory(node)
  node.versions = {
    ...node.versions,
    ...(node.baseline.versions.kernel === undefined ? {} : { kernel: node.baseline.versions.kernel }),
  }
}
