/** Every fault kind with the fields it takes: the contract's, those of the scenarios and one for each condition of docs/safety.md. */
import { z } from 'zod'
import { nodeName, vmid } from '#domain/ids'
import { SIDE_EFFECTS } from '#lab/world/side-effects'
import type { World } from '#lab/world/state'
import { MENDABLE, type Mendable } from './mend.ts'

const node = z.string().min(1).transform(nodeName)
const guest = z.int().positive().transform(vmid)
const seconds = z.number().nonnegative()
const rate = z.number().min(0).max(1).default(1)
const count = z.int().nonnegative()
const historyH = z
  .number()
  .nonnegative()
  .max(24 * 90)
  .default(31)

/** Nothing to choose; a script may say why. */
const plain = z.object({ why: z.string().optional() })
const api = z.enum(['proxmox', 'ceph', 'bmc', 'probe', 'smtp']).optional()
const path = z.string().min(1).optional()
const times = z.int().positive().optional()
const onApi = { api, path, times, forS: seconds.optional(), rate }

/** Beside these every fault takes `atS`: so many seconds from now. */
export const FAULT_FIELDS = {
  // fans, supplies, BMCs
  'fan-flap': z.object({
    node,
    part: z.string().default('FAN3'),
    dropoutsPerDay: z.number().positive().default(4),
    dropoutS: seconds.default(30),
    historyH,
  }),
  'fan-bus-flap': z.object({ node, perDay: z.number().positive().default(6), dropoutS: seconds.default(20), historyH }),
  'fan-stop': z.object({ node, part: z.string().default('FAN3') }),
  'psu-lost': z.object({ node, part: z.enum(['PS1', 'PS2']).default('PS2') }),
  'bmc-reset': z.object({ node }),
  'bmc-silent': z.object({ node, forS: seconds.optional() }),
  'bmc-swapped': z.object({ nodes: z.tuple([node, node]) }),
  'bmc-dark-when-unplugged': z.object({ node }),
  'bmc-anonymous': z.object({ node }),
  'locate-goes-out': z.object({ node, afterS: seconds.default(255) }),
  'sel-cleared': z.object({ node }),
  'signals-twice': z.object({ node, records: z.int().positive().default(6) }),
  'signals-late': z.object({ node, s: seconds.default(600) }),
  'powers-on-by-itself': z.object({ node, afterS: seconds.default(300) }),
  'power-restore': z.object({ node, policy: z.enum(['always-on', 'always-off', 'previous']) }),
  // nodes
  'node-dead': z.object({ node }),
  'node-hangs': z.object({ node, when: z.enum(['now', 'shutdown']).default('now') }),
  'pending-kernel': z.object({ node, kernel: z.string().default('6.17.9-1-pve') }),
  'qemu-older': z.object({ node, qemu: z.string().default('9.0.2') }),
  /** Without `node`: the control plane's own clock. Forward, or back where negative; jumps add up. */
  'clock-jump': z.object({ node: node.optional(), s: z.number() }),
  'lrm-state': z.object({ node, state: z.enum(['idle', 'active', 'maintenance', 'lost', 'absent']) }),
  'watchdog-armed': z.object({ node }),
  'task-runs': z.object({
    node,
    type: z.string().default('vzdump'),
    guest: guest.optional(),
    forS: seconds.default(600),
  }),
  chassis: z.object({ nodes: z.array(node).min(2), chassis: z.string().default('chassis-1') }),
  role: z.object({
    role: z.enum(['coulisse', 'qnetd', 'backup', 'dns', 'router']),
    guest: guest.optional(),
    node: node.optional(),
  }),
  'maintenance-mode-unavailable': plain,
  'crm-master': z.object({ node }),
  'maintenance-mode-by-other': z.object({ node }),
  // corosync
  'quorum-lost': z.object({ forS: seconds.default(300) }),
  'corosync-token-loss': z.object({ node, link: z.string().default('1'), forS: seconds.default(120) }),
  'corosync-link-down': z.object({ node, link: z.string().default('1') }),
  'corosync-is-migration-network': plain,
  'qdevice-down': z.object({ votes: count.optional() }),
  // Ceph
  'osd-down': z.object({ osd: count }),
  'osd-nearfull': z.object({ level: z.enum(['nearfull', 'backfillfull', 'full']).default('nearfull') }),
  'pool-size': z.object({
    pool: z.string().optional(),
    size: z.int().min(1).default(2),
    minSize: z.int().min(1).default(1),
  }),
  'monitor-down': z.object({ node }),
  'mgr-active': z.object({ node }),
  /** A maintenance of somebody else, in this cluster or in another that shares its Ceph. */
  'lease-by-other': z.object({ host: z.string().min(1), owner: z.string().default('coulisse/pve9-other') }),
  'lease-deleted': z.object({ node }),
  'pgs-degraded': z.object({ count: z.int().positive().default(3), forS: seconds.optional() }),
  'pgs-inconsistent': z.object({ count: z.int().positive().default(1) }),
  'slow-ops': z.object({ count: z.int().positive().default(5), forS: seconds.optional() }),
  'service-on-node': z.object({ node, service: z.enum(['mds', 'rgw', 'nfs', 'iscsi']).default('mds') }),
  'ceph-flag': z.object({ flag: z.string().min(1), node: node.optional() }),
  'noout-cleared-by-other': z.object({ node: node.optional() }),
  'noout-set-by-other': z.object({ node: node.optional() }),
  // guests
  'migration-fails': z.object({ guest, times: z.int().positive().default(1) }),
  'migration-never-converges': z.object({ guest }),
  'task-vanishes': z.object({ guest }),
  'guest-locked': z.object({ guest, lock: z.string().default('backup'), forS: seconds.optional() }),
  'guest-appears': z.object({
    node,
    vmid: guest.optional(),
    memoryBytes: z
      .int()
      .positive()
      .default(2 ** 31),
  }),
  /** A guest of HA that does not come back by itself when its node's maintenance mode ends. */
  'failback-off': z.object({ guest }),
  /** A stopped guest that its node starts at power-on. */
  'starts-with-node': z.object({ guest }),
  /** Its owner stops it and deletes it: a wish of his, and nobody's loss. */
  'guest-deleted': z.object({ guest }),
  'guest-stops-slowly': z.object({ guest, s: seconds.default(240) }),
  'target-filled': z.object({ node, memoryBytes: z.int().positive().optional() }),
  'ha-moves': z.object({ guest, to: node.optional() }),
  // hands
  technician: z.object({
    does: z
      .enum([
        'repairs',
        'wrong-serial-first',
        'pulls-wrong-server',
        'never-answers',
        'answers-twice',
        'answers-late',
        'finds-nothing',
        'cannot',
        'leaves-fan-broken',
      ])
      .optional(),
    arrivesAfterMin: z.number().nonnegative().optional(),
    worksMin: z.number().nonnegative().optional(),
    answersAfterMin: z.number().nonnegative().optional(),
    pullsCords: z.boolean().optional(),
  }),
  'dimm-missing-after-repair': plain,
  'after-repair': z.object({ effect: z.enum(SIDE_EFFECTS as [string, ...string[]]) }),
  // the way between
  'api-error': z.object({ ...onApi, status: z.int().min(400).max(599).default(500) }),
  'api-slow': z.object({ ...onApi, delayMs: z.number().positive().default(5_000) }),
  'answer-lost': z.object(onApi),
  'prober-down': z.object({ forS: seconds.optional() }),
  'mail-bounces': z.object({ address: z.string().min(1).optional(), forS: seconds.optional() }),
  'double-clicks': z.object({ forS: seconds.default(12 * 3_600) }),
  // and back again
  mended: z.object({
    what: z.enum(MENDABLE as [Mendable, ...Mendable[]]),
    node: node.optional(),
    flag: z.string().optional(),
  }),
  'database-away': z.object({ s: seconds.default(30) }),
} as const

export type FaultKind = keyof typeof FAULT_FIELDS
export type Fault = {
  [Kind in FaultKind]: { kind: Kind; atS?: number } & z.output<(typeof FAULT_FIELDS)[Kind]>
}[FaultKind]
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { kind: Kind }>

export type FaultTable<Kind extends FaultKind> = { readonly [K in Kind]: (world: World, fault: FaultOf<K>) => void }

export const isFaultKind = (text: string): text is FaultKind => Object.hasOwn(FAULT_FIELDS, text)

export type Parsed =
  | { readonly is: 'fault'; readonly fault: Fault }
  | { readonly is: 'bad'; readonly problems: readonly string[] }

const bad = (...problems: string[]): Parsed => ({ is: 'bad', problems })

/** What is wrong, one line a problem with its path; nothing is applied by this. */
export function parseFault(input: unknown): Parsed {
  if (typeof input !== 'object' || input === null) return bad('$: a fault is an object { "kind": …, … }')
  const { kind, atS, ...fields } = input as { kind?: unknown; atS?: unknown }
  if (typeof kind !== 'string' || !isFaultKind(kind)) {
    return bad(`$.kind: ${JSON.stringify(kind)} is no fault; known: ${Object.keys(FAULT_FIELDS).join(', ')}`)
  }
  if (atS !== undefined && (typeof atS !== 'number' || !(atS >= 0))) return bad('$.atS: seconds from now, not negative')
  const parsed = FAULT_FIELDS[kind].safeParse(fields)
  if (!parsed.success) {
    return bad(...parsed.error.issues.map((issue) => `$.${issue.path.map(String).join('.')}: ${issue.message}`))
  }
  return { is: 'fault', fault: { kind, ...(atS === undefined ? {} : { atS }), ...parsed.data } as Fault }
}
