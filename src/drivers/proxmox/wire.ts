/** The answers that the driver reads, as recorded from Proxmox VE 9.2; every field that a token may not see is optional. */
import { z } from 'zod'
import { amount, flag, maybe, words } from './schema.ts'

export const version = z.looseObject({ version: z.string(), release: maybe(z.string()) })

export const clusterStatus = z.array(
  z.looseObject({
    type: z.string(),
    name: z.string(),
    quorate: flag.optional(),
    online: flag.optional(),
    local: flag.optional(),
    ip: maybe(z.string()),
  }),
)

export const resources = z.array(
  z.looseObject({
    type: z.string(),
    id: z.string(),
    node: maybe(z.string()),
    status: maybe(z.string()),
    vmid: maybe(amount),
    name: maybe(words),
    pool: maybe(words),
    tags: maybe(words),
    lock: maybe(z.string()),
    hastate: maybe(z.string()),
    template: flag.optional(),
    maxcpu: maybe(amount),
    maxmem: maybe(amount),
    mem: maybe(amount),
    memhost: maybe(amount),
    cpu: maybe(amount),
    uptime: maybe(amount),
    storage: maybe(words),
    shared: flag.optional(),
    disk: maybe(amount),
    maxdisk: maybe(amount),
  }),
)
export type Resource = z.output<typeof resources>[number]

/** /nodes/N/qemu and /nodes/N/lxc: the node's own word, read from its files, not from the stale list. */
export const guestList = z.array(
  z.looseObject({
    vmid: amount,
    name: maybe(words),
    status: z.string(),
    lock: maybe(z.string()),
    tags: maybe(words),
    cpus: maybe(amount),
    maxmem: maybe(amount),
    maxdisk: maybe(amount),
    mem: maybe(amount),
    memhost: maybe(amount),
    cpu: maybe(amount),
    template: flag.optional(),
  }),
)
export type ListedGuest = z.output<typeof guestList>[number]

export const guestStatus = z.looseObject({
  status: z.string(),
  lock: maybe(z.string()),
  ha: maybe(z.looseObject({ managed: flag.optional() })),
})

export const guestConfig = z.record(z.string(), z.unknown())
export type GuestConfig = z.output<typeof guestConfig>

export const configNodes = z.array(
  z.looseObject({ name: maybe(z.string()), node: z.string(), quorum_votes: maybe(amount) }),
)
export const qdevice = z.record(z.string(), z.unknown())

export const haResources = z.array(
  z.looseObject({ sid: z.string(), state: maybe(z.string()), group: maybe(z.string()), failback: flag.optional() }),
)
export const haRules = z.array(
  z.looseObject({
    rule: z.string(),
    type: z.string(),
    resources: maybe(z.string()),
    nodes: maybe(z.string()),
    affinity: maybe(z.string()),
    strict: flag.optional(),
    disable: flag.optional(),
  }),
)
/** Up to 8.x. */
export const haGroups = z.array(
  z.looseObject({ group: z.string(), nodes: maybe(z.string()), restricted: flag.optional() }),
)
/** Types quorum, master, fencing, lrm and service; `sid` and the states are a service's. */
export const haCurrent = z.array(
  z.looseObject({
    type: z.string(),
    id: z.string(),
    node: maybe(z.string()),
    status: maybe(z.string()),
    sid: maybe(z.string()),
    request_state: maybe(z.string()),
  }),
)
export const managerStatus = z.looseObject({
  manager_status: maybe(
    z.looseObject({
      master_node: maybe(z.string()),
      node_status: maybe(z.record(z.string(), z.string())),
      service_status: maybe(z.record(z.string(), z.looseObject({ state: maybe(z.string()) }))),
    }),
  ),
  lrm_status: maybe(z.record(z.string(), z.looseObject({ state: maybe(z.string()), mode: maybe(z.string()) }))),
})

/** `migration` and `ha` come parsed or as property strings, depending on the release. */
const properties = z.union([z.record(z.string(), z.unknown()), z.string()])
export const options = z.looseObject({
  migration: maybe(properties),
  ha: maybe(properties),
  'next-id': maybe(properties),
})
export type Options = Pick<z.output<typeof options>, 'migration' | 'ha' | 'next-id'>

export const nodeStatus = z.looseObject({
  pveversion: maybe(z.string()),
  'current-kernel': maybe(z.looseObject({ release: maybe(z.string()) })),
  memory: maybe(z.looseObject({ total: amount, used: amount })),
  cpuinfo: maybe(z.looseObject({ model: maybe(z.string()), cpus: maybe(amount) })),
  cpu: maybe(amount),
})
export const storages = z.array(
  z.looseObject({
    storage: words,
    shared: flag.optional(),
    active: flag.optional(),
    enabled: flag.optional(),
    avail: maybe(amount),
  }),
)
export const networks = z.array(z.looseObject({ iface: z.string(), type: z.string(), active: flag.optional() }))
export const packages = z.array(
  z.looseObject({ Package: z.string(), OldVersion: maybe(z.string()), CurrentState: maybe(z.string()) }),
)
export const migrationCapabilities = z.looseObject({ 'has-dbus-vmstate': flag.optional() })
/** `map`: 'node=pve1,path=0000:01:00.0,id=10de:2204,iommugroup=12', one a node. */
export const mappings = z.array(
  z.looseObject({ id: words, map: z.array(z.string()), 'live-migration-capable': flag.optional() }),
)
export const replicationJobs = z.array(
  z.looseObject({ id: z.string(), guest: maybe(amount), source: maybe(z.string()), disable: flag.optional() }),
)
export type ReplicationJob = z.output<typeof replicationJobs>[number]
/** `pid` while it runs. */
export const replicationStates = z.array(
  z.looseObject({ id: z.string(), guest: maybe(amount), pid: maybe(amount), last_try: maybe(amount) }),
)
export const backupJobs = z.array(
  z.looseObject({ id: words, enabled: flag.optional(), node: maybe(z.string()), 'next-run': maybe(amount) }),
)

/** The figures themselves are nobody's concern here. */
export const metrics = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) })
export const permissions = z.record(z.string(), z.record(z.string(), z.unknown()))

export const tasks = z.array(
  z.looseObject({
    upid: z.string(),
    node: maybe(z.string()),
    type: z.string(),
    id: maybe(words),
    starttime: amount,
    endtime: maybe(amount),
    status: maybe(z.string()),
  }),
)
export type Task = z.output<typeof tasks>[number]
export const taskStatus = z.looseObject({ status: z.string(), exitstatus: maybe(z.string()) })
export const taskLog = z.array(z.looseObject({ n: amount, t: maybe(z.string()) }))

export const disks = z.array(
  z.looseObject({
    devpath: z.string(),
    serial: maybe(words),
    wwn: maybe(words),
    size: maybe(amount),
  }),
)
export const pciDevices = z.array(
  z.looseObject({
    id: z.string(),
    vendor_name: maybe(words),
    device_name: maybe(words),
    vendor: maybe(words),
    device: maybe(words),
  }),
)
export const nodeTime = z.looseObject({ time: amount })
