/** Configurations of guests: one call each, so read again only when something tells that they may have changed. */
import { type NodeName, nodeName } from '#domain/ids'
import { path } from './client.ts'
import { type ConfigFacts, readGuestConfig } from './guest-config.ts'
import { type ListedAs, SUBPATH } from './look-node.ts'
import { memory } from './memory.ts'
import type { Sight } from './sight.ts'
import { saysNotHere } from './whereabouts.ts'
import * as wire from './wire.ts'

/** A change that shows in no list (a bridge, an image in the drive) is seen after this long; until then Proxmox refuses the move. */
const KEPT_MS = 600_000
const GUESTS_LIMIT = 20_000

/** What is said of a guest whose configuration could not be read; `blind` names it. */
export const UNREAD: ConfigFacts = {
  cpuType: 'unknown',
  disks: [],
  images: [],
  bridges: [],
  passthrough: [],
  devices: [],
  onboot: false,
  template: false,
  notes: '',
}

type GuestAt = { readonly id: number; readonly kind: 'vm' | 'ct'; readonly node: NodeName }

/** What lists tell of a guest for nothing. */
type Mark = { readonly listed: string; readonly task: string | undefined }

/** A migration changes nothing in a configuration but a lock, and looking at a console changes nothing at all. */
const QUIET_TASKS = /^(qmigrate|vzmigrate|hamigrate|vncproxy|vncshell|spiceproxy|termproxy|vzdump)$/

/** Of each guest the newest task that may have changed it, from the cluster's list of recent tasks. */
export function lastChanges(tasks: readonly wire.Task[]): ReadonlyMap<number, string> {
  const newest = new Map<number, wire.Task>()
  for (const task of tasks) {
    const id = /^\d+$/.test(task.id ?? '') ? Number(task.id) : undefined
    if (id === undefined || QUIET_TASKS.test(task.type)) continue
    if (task.starttime >= (newest.get(id)?.starttime ?? 0)) newest.set(id, task)
  }
  // One that still runs has not yet done all that it will do.
  return new Map([...newest].map(([id, task]) => [id, `${task.upid} ${task.endtime === undefined ? 'runs' : 'ended'}`]))
}

const markOf = (listed: ListedAs | undefined, task: string | undefined): Mark => {
  if (listed === undefined) return { listed: '', task }
  const { name, tags, cpus, maxmem, maxdisk, template, status } = listed
  return { listed: JSON.stringify([name, tags, cpus, maxmem, maxdisk, template, status]), task }
}

/** A task that has left the list of recent ones was there before: it changed nothing since. */
const isSame = (before: Mark, now: Mark): boolean =>
  before.listed === now.listed && (now.task === undefined || now.task === before.task)

export function configReader() {
  const kept = memory<ConfigFacts, Mark>({ keepMs: KEPT_MS, entriesLimit: GUESTS_LIMIT, isSame })
  return {
    /** Kept by guest, not by node: a move changes nothing in it. */
    async read(
      sight: Sight,
      guest: GuestAt,
      told: { readonly nowMs: number; readonly listed: ListedAs | undefined; readonly lastChange: string | undefined },
    ): Promise<ConfigFacts> {
      const mark = markOf(told.listed, told.lastChange)
      const facts = await kept.get({ key: String(guest.id), nowMs: told.nowMs, mark }, async () => {
        const config = await readWhereItIs(sight, guest)
        return config === undefined ? undefined : readGuestConfig(guest.kind, config)
      })
      return facts ?? UNREAD
    },
  }
}

/** It may move between its node's list and this read: then it is asked once more, where the cluster has it now. */
async function readWhereItIs(sight: Sight, guest: GuestAt): Promise<wire.GuestConfig | undefined> {
  const first = await readAt(sight, guest)
  if (first !== 'gone') return first
  const call = { doing: `look for guest ${guest.id} again`, path: '/cluster/resources', params: { type: 'vm' } }
  const node = (await sight.see(wire.resources, call, [])).find((item) => item.vmid === guest.id)?.node
  const second = node === undefined ? 'gone' : await readAt(sight, { ...guest, node: nodeName(node) })
  if (second !== 'gone') return second
  sight.say(`guest ${guest.id}: its configuration is neither on ${guest.node} nor where the cluster's list has it`)
  return undefined
}

function readAt(sight: Sight, { id, kind, node }: GuestAt): Promise<wire.GuestConfig | 'gone' | undefined> {
  const call = {
    doing: `read the configuration of guest ${id} on ${node}`,
    path: path`/nodes/${node}/${SUBPATH[kind]}/${id}/config`,
  }
  return sight.seeOr<wire.GuestConfig | 'gone'>(saysNotHere, 'gone', { schema: wire.guestConfig, call })
}
