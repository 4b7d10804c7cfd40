/** Ceph through Proxmox's API, for clusters without a cephx user of ours: cluster-wide noout, one OSD a question, no lease in Ceph. */

import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName } from '#domain/ids'
import type { Clock } from '#ports/clock'
import type { Storage } from '#ports/storage'
import { observeCeph } from './ceph-observe.ts'
import * as wire from './ceph-wire.ts'
import { type ProxmoxClient, path, proxmoxClient, refused } from './client.ts'
import { nothing } from './schema.ts'
import type { EntryPoint, Transport } from './transport.ts'
import { parseUpid } from './upid.ts'
import { clusterStatus, taskStatus } from './wire.ts'

/** Proxmox's API has no door to `ceph config-key`: the lease lives elsewhere, in our own database for instance. */
export type LeaseStore = Pick<Storage, 'readLease' | 'writeLease' | 'deleteLease'>

export type CephFallbackConfig = {
  readonly entryPoints: readonly EntryPoint[]
  readonly clock: Clock
  /** The node whose Ceph is asked; it must be online. Default: the node of the entry point that answers. */
  readonly askVia?: () => Promise<NodeName>
  readonly leases?: LeaseStore
  readonly readDeadlineMs?: number
  readonly writeDeadlineMs?: number
  readonly transport?: (entry: EntryPoint) => Transport
}

const TASK_POLL_MS = 500
const TASK_POLLS_LIMIT = 120

export function proxmoxCeph(config: CephFallbackConfig): Storage & { close(): Promise<void> } {
  const client = proxmoxClient(config)
  const leases = config.leases ?? NO_LEASES
  const askVia = config.askVia ?? (() => answeringNode(client))
  return {
    nooutScope: 'cluster',
    observe: () => observeCeph(client, { clock: config.clock, askVia }),
    okToStop: (osds) => okToStop(client, askVia, osds),
    setNoout: (host) => setFlag(client, { host, on: true }),
    clearNoout: (host) => setFlag(client, { host, on: false }),
    readLease: (host) => leases.readLease(host),
    writeLease: (lease) => leases.writeLease(lease),
    deleteLease: (host) => leases.deleteLease(host),
    async failMgr(host) {
      // The API has no `mgr fail`; a restart makes a standby take over just as well.
      const doing = `restart the manager daemon of ${host}, so that a standby takes over`
      const call = { doing, path: path`/nodes/${host}/ceph/restart`, params: { service: `mgr.${host}` } }
      await taskEnds(client, doing, await client.write('POST', z.string(), call))
    },
    async stopOsds(host, osds) {
      for (const osd of osds) {
        const doing = `stop osd.${osd} on ${host}`
        const call = { doing, path: path`/nodes/${host}/ceph/stop`, params: { service: `osd.${osd}` } }
        const begun = await client.tryWrite('POST', z.string(), call)
        if (begun.is === 'refused' && begun.status === 403) return 'not-allowed'
        if (begun.is === 'refused') throw refused(call, begun)
        await taskEnds(client, doing, begun.data)
      }
      return 'stopped'
    },
    close: client.close,
  }
}

const cannotKeep = async (host: NodeName): Promise<never> => {
  throw new DriverError('proxmox', `keep a noout lease for ${host}`, {
    retry: 'never',
    text: "Proxmox's API cannot write to Ceph's config-key: give a lease store, or use the ceph driver",
  })
}
const NO_LEASES: LeaseStore = {
  readLease: async () => undefined,
  writeLease: (lease: NooutLease) => cannotKeep(lease.host),
  deleteLease: cannotKeep,
}

/** Each OSD alone may be safe to stop while all of a host are not: for several the answer is never yes. */
async function okToStop(client: ProxmoxClient, askVia: () => Promise<NodeName>, osds: readonly number[]) {
  const via = await askVia()
  const answers: { readonly osd: number; readonly safe: boolean; readonly status: string | undefined }[] = []
  for (const osd of osds) {
    const told = await client.get(wire.safety, {
      doing: `ask whether osd.${osd} may stop`,
      path: path`/nodes/${via}/ceph/cmd-safety`,
      params: { service: 'osd', id: osd, action: 'stop' },
    })
    answers.push({ osd, safe: told.safe, status: told.status })
  }
  const unsafe = answers.filter((answer) => !answer.safe)
  if (unsafe.length > 0) {
    return {
      ok: false,
      text: unsafe.map(({ osd, status }) => `osd.${osd}: ${status ?? 'not safe to stop'}`).join('; '),
    }
  }
  if (osds.length <= 1) return { ok: true, text: answers[0]?.status ?? 'nothing would become unavailable' }
  const names = osds.map((osd) => `osd.${osd}`).join(', ')
  return {
    ok: false,
    text: `each of ${names} may stop alone, but Proxmox's API asks one at a time: that all may stop together is not proven`,
  }
}

async function answeringNode(client: ProxmoxClient): Promise<NodeName> {
  const doing = 'ask which node answers'
  const members = await client.get(clusterStatus, { doing, path: '/cluster/status' })
  const local = members.find((item) => item.type === 'node' && item.local === true)?.name
  if (local !== undefined) return nodeName(local)
  throw new DriverError('proxmox', doing, { retry: 'later', text: 'the entry point did not say' })
}

/** Acts at once, on the whole cluster. Read back by whoever observes: an error does not mean that nothing was set. */
async function setFlag(client: ProxmoxClient, { host, on }: { readonly host: NodeName; readonly on: boolean }) {
  await client.write('PUT', nothing, {
    doing: `${on ? 'set' : 'clear'} noout on the whole cluster, for ${host}`,
    path: '/cluster/ceph/flags/noout',
    params: { value: on },
    avoid: host,
  })
}

async function taskEnds(client: ProxmoxClient, doing: string, text: string): Promise<void> {
  const upid = parseUpid(text)
  if (upid === undefined) throw new DriverError('proxmox', doing, { retry: 'later', text: `'${text}' is not a task` })
  for (let polls = 0; polls < TASK_POLLS_LIMIT; polls++) {
    const call = { doing, path: path`/nodes/${upid.node}/tasks/${upid.text}/status` }
    const reply = await client.ask(taskStatus, call)
    if (reply.is === 'refused') throw refused(call, reply)
    if (reply.data.status !== 'running') {
      if (reply.data.exitstatus === 'OK') return
      throw new DriverError('proxmox', doing, { retry: 'later', text: reply.data.exitstatus ?? 'no exit status' })
    }
    await pause(TASK_POLL_MS)
  }
  throw new DriverError('proxmox', doing, { retry: 'later', text: 'the task did not end in time' })
}
