/** Ceph's answers as they come through Proxmox's API (recorded with Ceph 16.2 under Proxmox VE 9.2). */
import { z } from 'zod'
import { flag, maybe, numeric } from './schema.ts'

const count = z.looseObject({ count: maybe(numeric), message: maybe(z.string()) })
const check = z.looseObject({
  summary: maybe(count),
  detail: maybe(z.array(z.looseObject({ message: maybe(z.string()) }))),
})

export const cephStatus = z.looseObject({
  fsid: z.string(),
  health: z.looseObject({ status: z.string(), checks: maybe(z.record(z.string(), check)) }),
  pgmap: z.looseObject({
    num_pgs: numeric,
    pgs_by_state: maybe(z.array(z.looseObject({ state_name: z.string(), count: numeric }))),
  }),
  quorum_names: maybe(z.array(z.string())),
  mgrmap: maybe(z.looseObject({ active_name: maybe(z.string()) })),
  servicemap: maybe(z.looseObject({ services: maybe(z.record(z.string(), z.unknown())) })),
})
export type CephStatus = z.output<typeof cephStatus>

export type TreeItem = {
  readonly type: string
  readonly name: string
  readonly id: number
  readonly status?: string | undefined
  readonly in?: boolean | undefined
  readonly children?: readonly TreeItem[] | undefined
}
const treeItem: z.ZodType<TreeItem> = z.looseObject({
  type: z.string(),
  name: z.string(),
  id: numeric,
  status: maybe(z.string()),
  in: flag.optional(),
  get children() {
    return z.array(treeItem).optional()
  },
})
export const osdTree = z.looseObject({
  flags: maybe(z.string()),
  root: z.looseObject({ children: maybe(z.array(treeItem)) }),
})

export const pools = z.array(
  z.looseObject({
    pool_name: z.string(),
    size: numeric,
    min_size: numeric,
    crush_rule_name: maybe(z.string()),
  }),
)
export const monitors = z.array(z.looseObject({ name: z.string(), host: maybe(z.string()), quorum: flag.optional() }))
export const managers = z.array(z.looseObject({ name: z.string(), host: maybe(z.string()), state: maybe(z.string()) }))
export const flags = z.array(z.looseObject({ name: z.string(), value: flag }))
export const safety = z.looseObject({ safe: flag, status: maybe(z.string()) })
export const daemons = z.looseObject({
  mds: maybe(z.record(z.string(), z.looseObject({ hostname: maybe(z.string()) }))),
})
