/**
 * Every condition before acting is a blocker with a name, a fault that brings it about, and an end: where an approver may lift it, his
 * word opens the gate; where nobody may, his word does nothing and only the end of the fault does.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { type NightOptions, type NightResult, playNight } from '#app/night/play'
import { parseScript } from '#app/night/script'
import { BLOCKERS, type BlockerKind } from '#domain/blocker'
import type { Event } from '#domain/event'
import type { Guest } from '#domain/guest'
import type { StoryPolicy } from '#domain/policy'
import { calmNight } from './night-kit.ts'

type Fault = { readonly kind: string; readonly [field: string]: unknown }

type Condition = {
  readonly kind: BlockerKind
  /** Before anything begins, unless `after` says when: a script's WHEN. */
  readonly faults: readonly Fault[]
  readonly after?: string
  /** What ends it; absent: the fault ends by itself. */
  readonly mended?: Fault
  /** Other blockers that the same fault brings about, by the nature of things. */
  readonly with?: readonly BlockerKind[]
  readonly story?: Partial<StoryPolicy>
  readonly storage?: NightOptions['storage']
  readonly guests?: (guests: readonly Guest[]) => readonly Guest[]
  /** More lines of the script. */
  readonly words?: readonly string[]
}

const mended = (what: string, more: object = {}): Fault => ({ kind: 'mended', what, ...more })

/** Gates at the plan: nothing was touched yet. */
const BEFORE_THE_FIRST_TOUCH: readonly Condition[] = [
  {
    kind: 'bmc-identity-unproven',
    faults: [{ kind: 'bmc-swapped', nodes: ['pve3', 'pve4'] }],
    mended: mended('bmc-swapped'),
  },
  { kind: 'bmc-unreachable', faults: [{ kind: 'bmc-silent', node: 'pve3' }], mended: mended('bmc-silent') },
  { kind: 'chassis-shared', faults: [{ kind: 'chassis', nodes: ['pve3', 'pve4'] }], mended: mended('chassis') },
  {
    kind: 'maintenance-in-cluster',
    faults: [{ kind: 'lease-by-other', host: 'pve4' }],
    mended: mended('lease-by-other'),
  },
  {
    kind: 'maintenance-in-ceph',
    faults: [{ kind: 'lease-by-other', host: 'ceph9' }],
    mended: mended('lease-by-other'),
  },
  {
    kind: 'another-node-away',
    faults: [{ kind: 'maintenance-mode-by-other', node: 'pve4' }],
    mended: mended('maintenance-mode-by-other', { node: 'pve4' }),
  },
  {
    kind: 'node-in-maintenance',
    faults: [{ kind: 'maintenance-mode-by-other', node: 'pve3' }],
    mended: mended('maintenance-mode-by-other', { node: 'pve3' }),
  },
  { kind: 'coulisse-on-node', faults: [{ kind: 'role', role: 'coulisse', guest: 103 }], mended: mended('role') },
  { kind: 'role-on-node', faults: [{ kind: 'role', role: 'dns', guest: 103 }], mended: mended('role') },
  { kind: 'cluster-unreachable', faults: [{ kind: 'api-error', api: 'proxmox' }], mended: mended('api') },
  { kind: 'ceph-unreachable', faults: [{ kind: 'api-error', api: 'ceph' }], mended: mended('api') },
  { kind: 'cluster-not-quorate', faults: [{ kind: 'quorum-lost', forS: 1800 }] },
  {
    kind: 'guest-locked',
    faults: [{ kind: 'guest-locked', guest: 103, lock: 'snapshot' }],
    mended: mended('guest-locked'),
  },
  {
    kind: 'maintenance-mode-unavailable',
    faults: [{ kind: 'maintenance-mode-unavailable' }],
    mended: mended('maintenance-mode-unavailable'),
  },
  {
    kind: 'migration-network-is-corosync',
    faults: [{ kind: 'corosync-is-migration-network' }],
    mended: mended('corosync-is-migration-network'),
  },
  {
    kind: 'corosync-unstable',
    faults: [{ kind: 'corosync-link-down', node: 'pve2' }],
    mended: mended('corosync-link-down'),
  },
  { kind: 'node-busy', faults: [{ kind: 'task-runs', node: 'pve3', type: 'imgcopy', forS: 1800 }] },
  {
    kind: 'osds-not-ok-to-stop',
    faults: [{ kind: 'pool-size', size: 3, minSize: 3 }],
    mended: mended('pool-size'),
  },
  {
    kind: 'pool-below-two-copies',
    faults: [{ kind: 'pool-size', size: 2, minSize: 1 }],
    mended: mended('pool-size'),
  },
  { kind: 'ceph-nearfull', faults: [{ kind: 'osd-nearfull' }], mended: mended('osd-nearfull') },
  {
    kind: 'placement-groups-inconsistent',
    faults: [{ kind: 'pgs-inconsistent' }],
    mended: mended('pgs'),
    with: ['placement-groups-not-clean'],
  },
  { kind: 'placement-groups-not-clean', faults: [{ kind: 'pgs-degraded', count: 3 }], mended: mended('pgs') },
  { kind: 'ceph-slow-ops', faults: [{ kind: 'slow-ops' }], mended: mended('slow-ops') },
  {
    kind: 'osd-down-elsewhere',
    faults: [{ kind: 'osd-down', osd: 0 }],
    mended: mended('osd-down'),
    with: ['placement-groups-not-clean', 'osds-not-ok-to-stop'],
  },
  {
    kind: 'ceph-flags-by-others',
    faults: [{ kind: 'ceph-flag', flag: 'norecover' }],
    mended: mended('ceph-flag', { flag: 'norecover' }),
  },
  { kind: 'monitors-too-few', faults: [{ kind: 'monitor-down', node: 'pve1' }], mended: mended('monitor-down') },
  {
    kind: 'services-on-node',
    faults: [{ kind: 'service-on-node', node: 'pve3' }],
    mended: mended('service-on-node'),
  },
  {
    kind: 'noout-by-others',
    faults: [{ kind: 'noout-set-by-other', node: 'pve3' }],
    mended: { kind: 'noout-cleared-by-other', node: 'pve3' },
  },
  {
    kind: 'qemu-older-on-target',
    faults: ['pve1', 'pve2', 'pve4'].map((node) => ({ kind: 'qemu-older', node })),
    mended: mended('qemu-older'),
  },
  {
    kind: 'noout-cluster-wide',
    faults: [],
    storage: { nooutScope: 'cluster' },
    words: ['+1h: lift noout-cluster-wide'],
  },
  {
    kind: 'observation-blind',
    faults: [{ kind: 'node-hangs', node: 'pve4' }],
    mended: mended('node-dead', { node: 'pve4' }),
    with: [
      'another-node-away',
      'quorum-after-loss',
      'placement-groups-not-clean',
      'osd-down-elsewhere',
      'osds-not-ok-to-stop',
    ],
  },
  {
    kind: 'no-order',
    faults: [],
    guests: (guests) => guests.map((guest) => (guest.vmid === 103 ? { ...guest, ...TOO_LARGE } : guest)),
    words: ['+1h: reject the guest is too large'],
  },
  { kind: 'plan-aged', faults: [], words: ['+30s: pause', '+40m: resume'] },
  {
    kind: 'outside-window',
    faults: [],
    story: { window: { fromHour: 9, toHour: 17, weekdaysOnly: true } },
  },
]

/** Gates further on: the plan was approved, and something happens later. */
const ON_THE_WAY: readonly Condition[] = [
  {
    kind: 'guest-did-not-move',
    faults: [{ kind: 'migration-fails', guest: 103, times: 6 }],
  },
  {
    kind: 'pause-budget',
    faults: [{ kind: 'migration-never-converges', guest: 102 }],
    mended: mended('migration-never-converges'),
  },
  {
    kind: 'lrm-not-idle',
    faults: [{ kind: 'lrm-state', node: 'pve3', state: 'lost' }],
    after: 'after did guest 104 +1s',
    mended: mended('lrm-state'),
  },
  {
    kind: 'watchdog-armed',
    faults: [
      { kind: 'lrm-state', node: 'pve3', state: 'idle' },
      { kind: 'watchdog-armed', node: 'pve3' },
    ],
    after: 'after did guest 104 +1s',
    mended: mended('lrm-state'),
  },
  {
    kind: 'node-not-empty',
    faults: [
      { kind: 'slow-ops', atS: 1, forS: 600 },
      { kind: 'guest-appears', node: 'pve3', vmid: 188, atS: 90 },
    ],
    after: 'after did guest 104',
    with: ['ceph-slow-ops'],
  },
  {
    kind: 'osds-not-up',
    faults: [{ kind: 'osd-down', osd: 4 }],
    after: 'after soak-began',
    mended: mended('osd-down'),
    with: ['placement-groups-not-clean'],
  },
  {
    kind: 'still-on',
    faults: [{ kind: 'node-hangs', node: 'pve3', when: 'shutdown' }],
    mended: mended('node-hangs', { node: 'pve3' }),
  },
  {
    kind: 'guest-not-home',
    faults: [{ kind: 'migration-fails', guest: 103, times: 3 }],
    after: 'after osds-back',
  },
]

/** What verification sends back to repair; the second round mends it. An approver's word counts at once where he may give it. */
const AFTER_THE_REPAIR: readonly (Pick<Condition, 'kind' | 'after' | 'with'> & { readonly fault: Fault })[] = [
  ...['dimm-missing', 'disk-missing', 'nic-slower', 'pcie-narrower', 'pcie-errors'].map((effect) => ({
    kind: 'hardware-differs' as const,
    fault: { kind: 'after-repair', effect },
  })),
  ...['bond-degraded', 'mtu-wrong', 'bridge-missing'].map((effect) => ({
    kind: 'network-differs' as const,
    fault: { kind: 'after-repair', effect },
  })),
  { kind: 'clock-not-in-sync', fault: { kind: 'after-repair', effect: 'clock-skewed' } },
  { kind: 'corosync-link-down', fault: { kind: 'after-repair', effect: 'corosync-link-down' } },
  { kind: 'versions-differ', fault: { kind: 'after-repair', effect: 'versions-differ' } },
  { kind: 'fans-out-of-band', fault: { kind: 'after-repair', effect: 'fan-out-of-band' }, with: ['sel-not-clean'] },
  { kind: 'sel-not-clean', fault: { kind: 'after-repair', effect: 'sel-dirty' } },
  { kind: 'unmeasured', after: 'after soak-began', fault: { kind: 'bmc-silent', node: 'pve3', forS: 3600 } },
  { kind: 'node-not-back', after: 'after did power on', fault: { kind: 'node-dead', node: 'pve3' } },
]

/** No node has room for it in any of three ways. */
const TOO_LARGE = {
  memoryBytes: 2 ** 42,
  cpuCores: 999,
  disks: [{ storage: 'local-zfs', bytes: 2 ** 50 }],
} satisfies Partial<Guest>

const kindsOf = (event: Event) => (event.kind === 'gate-closed' ? event.blockers.map(({ kind }) => kind) : [])

const gatesOf = ({ rows }: NightResult, kind: BlockerKind) => rows.filter((row) => kindsOf(row.event).includes(kind))

const MINUTE_MS = 60_000
const MENDED_AFTER_MIN = 30

async function play(condition: Condition, words: readonly string[]): Promise<NightResult> {
  const { kind, faults, after, mended: end, story } = condition
  const closed = `after gate-closed ${kind}`
  const script = [
    ...faults.map((fault) => `${after ?? '+0s'}: fault ${JSON.stringify(fault)}`),
    '+1s: start pve3 FAN3 it rattles',
    'each plan-proposed +1m: approve',
    ...(end === undefined ? [] : [`${closed} +${MENDED_AFTER_MIN}m: fault ${JSON.stringify(end)}`]),
    ...(condition.words ?? []),
    ...words.map((word) => `${closed} ${word}`),
  ].join('\n')
  const calm = calmNight()
  const policy = { ...calm.policy, soakS: 60, ...story }
  const { cluster } = calm.snapshot
  const guests = condition.guests?.(cluster.guests) ?? cluster.guests
  const snapshot = { ...calm.snapshot, cluster: { ...cluster, guests } }
  const storage = condition.storage ?? {}
  return playNight({ ...calm, snapshot, policy, storage, script: parseScript(script) })
}

/** How long the first gate with this blocker stayed closed, for any reason. */
function heldMs(night: NightResult, kind: BlockerKind): number {
  const [first] = gatesOf(night, kind)
  const opened = night.rows.find(({ seq, event }) => seq > (first?.seq ?? 0) && event.kind === 'gate-opened')
  return (opened?.atMs ?? Number.POSITIVE_INFINITY) - (first?.atMs ?? 0)
}

describe.each([...BEFORE_THE_FIRST_TOUCH, ...ON_THE_WAY])('$kind', (condition) => {
  const { kind } = condition
  const { liftable } = BLOCKERS[kind]

  it('closes the gate under its own name, and lets the story go on when it ends', async () => {
    const night = await play(condition, [])
    const all = new Set(night.rows.flatMap(({ event }) => kindsOf(event)))
    for (const extra of condition.with ?? []) all.delete(extra)
    expect([...all]).toEqual([kind])
    expect(night.ending).toBe(kind === 'no-order' ? 'failed' : 'done')
    expect(brokenIn(night)).toEqual([])
  })

  it(liftable ? 'is lifted by name, by an approver' : 'is lifted by nobody', async () => {
    const night = await play(condition, [`+5m: lift ${kind}`])
    const said = night.rows.some(
      ({ event }) => event.kind === 'said' && event.text.includes(`lift ${kind}: nobody may`),
    )
    expect(said).toBe(!liftable)
    if (liftable) expect(heldMs(night, kind)).toBeLessThan(6 * MINUTE_MS)
    else expect(heldMs(night, kind)).toBeGreaterThan(6 * MINUTE_MS)
    expect(brokenIn(night)).toEqual([])
  })
})

describe.each(AFTER_THE_REPAIR)(
  '$kind after the repair, by $fault.effect',
  ({ kind, after, fault, with: extras = [] }) => {
    it('sends the node back to repair, under its own name, and lets it back when it is mended', async () => {
      const night = await playRepair(`${after ?? '+0s'}: fault ${JSON.stringify(fault)}`)
      const failed = night.rows.flatMap(({ event }) => (event.kind === 'verification-failed' ? event.blockers : []))
      const kinds = new Set(failed.map((one) => one.kind))
      for (const extra of extras) kinds.delete(extra)
      expect([...kinds]).toEqual([kind])
      expect(night.lab.state.workOrders.length).toBe(2)
      expect(night.ending).toBe('done')
      expect(brokenIn(night)).toEqual([])
    })
  },
)

function playRepair(line: string): Promise<NightResult> {
  const calm = calmNight()
  const script = parseScript(`${line}\n+1s: start pve3 FAN3 it rattles\neach plan-proposed +1m: approve`)
  return playNight({ ...calm, policy: { ...calm.policy, soakS: 300 }, script })
}

/** Where a blocker is not a gate of a night that can be brought about by one fault, another test shows it. */
const SHOWN_ELSEWHERE: Partial<Record<BlockerKind, string>> = {
  'node-unknown': 'src/story/2-plan/decide.test.ts',
  'node-offline': 'src/story/2-plan/decide.test.ts',
  'memory-short': 'src/story/2-plan/decide.test.ts',
  'cpu-short': 'src/story/2-plan/decide.test.ts',
  'keep-apart': 'src/story/2-plan/decide.test.ts',
  'keep-together': 'src/story/2-plan/decide.test.ts',
  pinned: 'src/story/2-plan/decide.test.ts',
  'storage-missing': 'src/story/2-plan/decide.test.ts',
  'storage-short': 'src/story/2-plan/decide.test.ts',
  'bridge-missing': 'src/story/2-plan/decide.test.ts',
  'cpu-model': 'src/story/2-plan/decide.test.ts',
  passthrough: 'src/story/2-plan/decide.test.ts',
  'guest-not-movable': 'src/story/2-plan/decide.test.ts',
  'restart-not-allowed': 'src/story/2-plan/decide.test.ts',
  'no-target': 'src/story/2-plan/decide.test.ts',
  'reserve-unmet': 'src/story/2-plan/decide.test.ts',
  'stopped-guest-stays': 'src/story/2-plan/decide.test.ts',
  'quorum-after-loss': 'scenarios/two-nodes-without-their-qdevice-wait/log.expect',
  'plan-violates-rules': 'test/story/refusals.test.ts',
  'lease-not-held': 'test/story/refusals.test.ts',
  'lease-expired': 'test/story/refusals.test.ts',
  'hands-on': 'scenarios/abort-in-repair-waits-for-the-hands/log.expect',
  'wrong-serial': 'scenarios/technician-reads-the-wrong-serial/log.expect',
}

describe('every blocker', () => {
  it('is in a table above, or another test names it', () => {
    const covered = new Set([...BEFORE_THE_FIRST_TOUCH, ...ON_THE_WAY, ...AFTER_THE_REPAIR].map(({ kind }) => kind))
    const root = join(import.meta.dirname, '../..')
    const missing = (Object.keys(BLOCKERS) as BlockerKind[]).filter((kind) => {
      if (covered.has(kind)) return false
      const path = join(root, SHOWN_ELSEWHERE[kind] ?? 'nowhere')
      return !existsSync(path) || !readFileSync(path, 'utf8').includes(kind)
    })
    expect(missing).toEqual([])
  })
})
