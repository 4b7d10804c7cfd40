/** The Storage port over the simulated world. */
import type { CephObservation, NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { askOkToStop, cephOf } from '#lab/world/ceph'
import * as commands from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import type { World, WorldCeph } from '#lab/world/state'
import type { Storage } from '#ports/storage'
import { ask, look } from './ask.ts'

export type StorageOptions = {
  /** What noout reaches: Proxmox's API knows the whole cluster only. */
  readonly nooutScope: 'host' | 'cluster'
  readonly mayStopOsds: boolean
}

export function labStorage(lab: LabWorld, options: StorageOptions): Storage {
  const world = lab.state
  const flagOf = (host: NodeName) => ({ name: 'noout', ...(options.nooutScope === 'host' ? { host } : {}) })
  return {
    nooutScope: options.nooutScope,
    observe: async () => {
      const ceph = cephOf(world)
      if (!ceph) return 'none'
      return inQuorum(lab, { path: '/status', doing: 'look at Ceph' }, () => observeCeph(world, ceph))
    },
    okToStop: async (osds) =>
      inQuorum(lab, { path: '/osd/ok-to-stop', doing: `ask whether OSDs ${osds.join(', ')} may stop` }, () => {
        const { ok, text } = askOkToStop(world, osds)
        return { ok, text }
      }),
    setNoout: async (host) => {
      ask(lab, { api: 'ceph', method: 'PUT', path: '/osd/set-group', doing: `set noout on ${host}` }, () =>
        commands.setFlag(world, flagOf(host), 'us'),
      )
    },
    clearNoout: async (host) => {
      ask(lab, { api: 'ceph', method: 'PUT', path: '/osd/unset-group', doing: `clear noout on ${host}` }, () =>
        commands.clearFlag(world, flagOf(host), 'us'),
      )
    },
    ...leasePart(lab),
    failMgr: async (host) => {
      ask(lab, { api: 'ceph', method: 'POST', path: '/mgr/fail', doing: `pass the active mgr on from ${host}` }, () =>
        commands.failMgr(world, host, 'us'),
      )
    },
    stopOsds: async (host, osds) => {
      if (!options.mayStopOsds) return 'not-allowed'
      ask(lab, { api: 'ceph', method: 'POST', path: '/osd/stop', doing: `stop the OSDs of ${host}` }, () =>
        commands.stopOsds(world, osds, 'us'),
      )
      return 'stopped'
    },
  }
}

function leasePart(lab: LabWorld): Pick<Storage, 'readLease' | 'writeLease' | 'deleteLease'> {
  const world = lab.state
  const keyOf = (host: NodeName) => `${commands.LEASE_KEY}${host}`
  return {
    readLease: async (host) =>
      inQuorum(lab, { path: `/config-key/${keyOf(host)}`, doing: `read the lease of ${host}` }, () => {
        const text = cephOf(world)?.configKeys[keyOf(host)]
        return text === undefined ? undefined : (JSON.parse(text) as NooutLease)
      }),
    writeLease: async (lease) => {
      const path = `/config-key/${keyOf(lease.host)}`
      ask(lab, { api: 'ceph', method: 'PUT', path, doing: `write the lease of ${lease.host}` }, () =>
        commands.putConfigKey(world, keyOf(lease.host), JSON.stringify(lease), 'us'),
      )
    },
    deleteLease: async (host) => {
      const path = `/config-key/${keyOf(host)}`
      ask(lab, { api: 'ceph', method: 'DELETE', path, doing: `delete the lease of ${host}` }, () =>
        commands.deleteConfigKey(world, keyOf(host), 'us'),
      )
    },
  }
}

function inQuorum<T>(lab: LabWorld, call: { readonly path: string; readonly doing: string }, read: () => T): T {
  return look(lab, { api: 'ceph', ...call }, () => {
    if (commands.monitorsAway(lab.state))
      throw new DriverError('ceph', call.doing, { retry: 'later', text: 'the monitors have no quorum' })
    return read()
  })
}

/** Placement groups as the mgr reports them, some seconds behind; all else is the monitors' own word. */
function observeCeph(world: World, ceph: WorldCeph): CephObservation {
  return {
    observedAtMs: world.nowMs,
    fsid: ceph.fsid,
    osds: ceph.osds.map(({ id, host, up, in: isIn }) => ({ id, host, up, in: isIn })),
    pools: ceph.pools,
    placementGroups: ceph.reported,
    monitors: ceph.monitors.map(({ host, inQuorum }) => ({ host, inQuorum })),
    ...(ceph.activeMgrHost === undefined ? {} : { activeMgrHost: ceph.activeMgrHost }),
    services: [...ceph.services],
    flags: [...ceph.flags],
    hostFlags: structuredClone(ceph.hostFlags),
    fullness: ceph.fullness,
    slowOpsCount: ceph.slowOpsCount,
  }
}
