/** One look at everything that the watchdog watches. Each part has its own limit, and what is dark is a value. */

import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import { maintenanceId, type NodeName, nodeName } from '#domain/ids'
import { DEFAULT_STORY_POLICY, type StoryPolicy } from '#domain/policy'
import { viewOf } from '#domain/view'
import { limiter } from '#drivers/exec/limiter'
import { lookAtUnsettled, type Unsettled } from '#drivers/postgres/unsettled'
import { jsonService } from '#drivers/tls/json-service'
import type { Clock } from '#ports/clock'
import type { Hypervisor } from '#ports/hypervisor'
import type { Storage } from '#ports/storage'
import { MAINTENANCE_SAGA } from '#story/maintenance'
import type {
  CephLook,
  DatabaseLook,
  ModeLook,
  Seen,
  WatchdogFacts,
  WatchedMaintenance,
} from '#story/watchdog/observation'

export type Watched = {
  readonly clock: Clock
  readonly nodes: readonly NodeName[]
  readonly hypervisor: Pick<Hypervisor, 'maintenanceMode'>
  readonly storage: Storage
  /** Undefined: our own embedded one, which was never made. */
  readonly database: (() => Promise<DatabaseLook>) | undefined
  /** Undefined: there is no address to ask. */
  readonly health: (() => Promise<'answers'>) | undefined
}

const LOOK_LIMIT_MS = 45_000
const HEALTH_LIMIT_MS = 5_000
const HEALTH_BYTES = 64 * 1024
/** Proxmox has three workers a node, and they have other things to do. */
const MODES_AT_ONCE = 2

export async function lookAround(watched: Watched): Promise<WatchdogFacts> {
  const { clock, database: askDatabase, health } = watched
  const nowMs = await clock.nowMs()
  const [controlPlane, database, ceph, proxmox] = await Promise.all([
    health === undefined ? NOT_ASKED : seen(health),
    askDatabase === undefined ? NOT_ASKED : seen(askDatabase),
    seen(() => lookAtCeph(watched)),
    seen(() => lookAtModes(watched)),
  ])
  return { nowMs, controlPlane, database, ceph, proxmox }
}

const NOT_ASKED = { is: 'not-asked' } as const

/** A bug of ours is thrown; everything outside that fails, or takes too long, is dark. */
async function seen<T>(look: () => Promise<T>): Promise<Seen<T>> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Seen<T>>((resolve) => {
    timer = setTimeout(
      () => resolve({ is: 'unseen', text: `no answer within ${LOOK_LIMIT_MS / 1000} s` }),
      LOOK_LIMIT_MS,
    )
  })
  try {
    return await Promise.race([look().then((value): Seen<T> => ({ is: 'seen', value })), late])
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { is: 'unseen', text: error.message }
  } finally {
    clearTimeout(timer)
  }
}

export async function askHealth(url: string): Promise<'answers'> {
  const options = { driver: 'control plane', trust: {}, deadlineMs: HEALTH_LIMIT_MS, bodyLimitBytes: HEALTH_BYTES }
  const service = jsonService({ ...options, url: new URL(url).origin })
  try {
    const { pathname } = new URL(url)
    const { status, json } = await service.get('ask whether it is well', pathname)
    const isReady = typeof json === 'object' && json !== null && 'ready' in json && json.ready === true
    if (status === 200 && isReady) return 'answers'
    throw service.fail('ask whether it is well', 'later', `answered ${status}, and not that it is ready`)
  } finally {
    await service.close()
  }
}

export async function lookAtDatabase(url: string): Promise<DatabaseLook> {
  const { maintenances, workers } = await lookAtUnsettled(url, MAINTENANCE_SAGA)
  return { workers, maintenances: maintenances.map(watchedOf) }
}

function watchedOf({ id, status, text, input, rows }: Unsettled): WatchedMaintenance {
  return {
    id: maintenanceId(id),
    saga: status === 'ended' ? 'stuck' : status,
    ...(text === null ? {} : { text }),
    policy: policyIn(input),
    view: rows.length === 0 ? undefined : viewOf(rows),
  }
}

/** An older version may have begun without some limit that we know. */
function policyIn(input: unknown): StoryPolicy {
  const policy = typeof input === 'object' && input !== null && 'policy' in input ? input.policy : undefined
  return { ...DEFAULT_STORY_POLICY, ...(typeof policy === 'object' && policy !== null ? policy : {}) }
}

/** The leases of all our nodes, and of whoever else has noout: a lease may stand where the flag was cleared. */
async function lookAtCeph({ storage, nodes }: Watched): Promise<CephLook> {
  const ceph = await storage.observe()
  const { nooutScope } = storage
  if (ceph === 'none') return { ceph, leases: [], unreadable: [], nooutScope }
  const flagged = Object.entries(ceph.hostFlags).flatMap(([host, flags]) =>
    flags.includes('noout') ? [nodeName(host)] : [],
  )
  const leases: NooutLease[] = []
  const unreadable: CephLook['unreadable'][number][] = []
  for (const host of new Set([...nodes, ...flagged])) {
    try {
      const lease = await storage.readLease(host)
      if (lease !== undefined) leases.push(lease)
    } catch (error) {
      // One that is no lease must not hide the others; what passes by itself is Ceph's, and darkens them all.
      if (!(error instanceof DriverError) || error.retry !== 'never') throw error
      unreadable.push({ host, text: error.message })
    }
  }
  return { ceph, leases, unreadable, nooutScope }
}

async function lookAtModes({ hypervisor, nodes }: Watched): Promise<readonly ModeLook[]> {
  const turn = limiter(MODES_AT_ONCE)
  return Promise.all(nodes.map((node) => turn(async () => ({ node, mode: await hypervisor.maintenanceMode(node) }))))
}
