/** The shape of a `coulisse/snapshot@1` file and of a policy file. Unknown fields are ignored. */
import { z } from 'zod'
import { type BlockerKind, isBlockerKind } from '#domain/blocker'

const bytes = z.int().nonnegative()
const cores = z.number().positive()
const name = z.string().min(1)
const guestId = z.int().positive()

const storage = z.object({ id: name, shared: z.boolean(), freeBytes: bytes.optional() })

const node = z.object({
  name,
  online: z.boolean(),
  cpuCores: cores,
  memoryBytes: z.int().positive(),
  rack: z.string().optional(),
  chassis: z.string().optional(),
  cpuModel: z.string().optional(),
  memoryUsedBytes: bytes.optional(),
  cpuUsedCores: z.number().nonnegative().optional(),
  linkBitsPerSecond: z.number().positive().optional(),
  storages: z.array(storage).optional(),
  bridges: z.array(name).optional(),
  maintenance: z.boolean().optional(),
})

const guest = z.object({
  vmid: guestId,
  name: z.string(),
  kind: z.enum(['vm', 'ct']),
  node: name,
  status: z.enum(['running', 'stopped']),
  cpuCores: cores,
  memoryBytes: bytes,
  residentBytes: bytes.optional(),
  cpuUsedCores: z.number().nonnegative().optional(),
  dirtyBytesPerSecond: z.number().nonnegative().optional(),
  writableWorkingSetBytes: bytes.optional(),
  cpuType: z.string().optional(),
  disks: z.array(z.object({ storage: name, bytes })).optional(),
  bridges: z.array(name).optional(),
  passthrough: z.array(z.string()).optional(),
  lock: z.string().nullable().optional(),
  pool: z.string().optional(),
  tags: z.array(z.string()).optional(),
  ha: z.object({ managed: z.boolean(), state: z.string().optional() }).optional(),
  pauseBudgetMs: z.number().nonnegative().optional(),
  customer: z.string().optional(),
  movable: z.boolean().optional(),
  onboot: z.boolean().optional(),
  template: z.boolean().optional(),
})

const strict = z.boolean().default(true)

const rule = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('keep-apart'), guests: z.array(guestId), strict }),
  z.object({ kind: z.literal('keep-together'), guests: z.array(guestId), strict }),
  z.object({ kind: z.literal('pin'), guests: z.array(guestId), nodes: z.array(name).min(1), strict }),
])

const ceph = z.object({
  osds: z.array(z.object({ id: z.int().nonnegative(), host: name, up: z.boolean(), in: z.boolean() })).default([]),
  pools: z
    .array(
      z.object({
        name,
        size: z.int().positive(),
        minSize: z.int().positive(),
        failureDomain: z.string().default('host'),
      }),
    )
    .default([]),
  monitors: z.array(name).default([]),
  flags: z.array(z.string()).default([]),
  hostFlags: z.record(z.string(), z.array(z.string())).default({}),
  degradedPgs: z.int().nonnegative().default(0),
})

const blockerKind = z
  .string()
  .refine(isBlockerKind, 'no blocker has this name')
  .transform((kind) => kind as BlockerKind)

/** Every field optional: what is absent keeps what stood before. */
export const policySchema = z.object({
  cpuOvercommit: z.number().positive().optional(),
  memoryHeadroomFraction: z.number().min(0).lt(1).optional(),
  reserveNodes: z.union([z.int().nonnegative(), z.literal('auto')]).optional(),
  parallelMigrations: z.union([z.int().positive(), z.literal('auto')]).optional(),
  allowRestart: z.union([z.array(guestId), z.literal('all')]).optional(),
  returnHome: z.boolean().optional(),
  lifted: z.array(blockerKind).optional(),
})

export const snapshotSchema = z.object({
  format: z.literal('coulisse/snapshot@1'),
  observedAt: z.iso.datetime({ offset: true }),
  cluster: z.object({
    name,
    pveVersion: z.string().optional(),
    votes: z.record(z.string(), z.int().nonnegative()).optional(),
    qdeviceVotes: z.int().nonnegative().optional(),
    cephFsid: z.string().optional(),
  }),
  nodes: z.array(node).min(1),
  guests: z.array(guest),
  rules: z.array(rule).default([]),
  ceph: ceph.optional(),
  policy: policySchema.optional(),
})

export type SnapshotFile = z.infer<typeof snapshotSchema>
export type PolicyFile = z.infer<typeof policySchema>
