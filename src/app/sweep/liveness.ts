/** Liveness: every maintenance ends in words, no lease outlives it, nothing waits for nobody. From the world's truth. */
import type { JournalRow } from '#domain/event'
import type { NodeName } from '#domain/ids'
import type { LabWorld } from '#lab/world/lab-world'
import type { NightResult } from '../night/play.ts'

export type Breach = {
  /** 1 to 10 of the mission; 'liveness'; 'hangs' where a night never gave an answer. */
  readonly promise: number | 'liveness' | 'hangs'
  /** Which of the world's events it was seen after, counted from 1; 0 where no event was at hand. */
  readonly event: number
  readonly atMs: number
  readonly text: string
}

const LEASE_KEY = 'coulisse/lease/'

/** Looks at what every maintenance leaves behind, the moment when it says that it has ended. */
export function leftovers(): (row: JournalRow, lab: LabWorld) => readonly Breach[] {
  const nodeOf = new Map<string, NodeName>()
  const stuckNodes = new Set<NodeName>()
  return ({ event, maintenance, atMs }, { state }) => {
    if (event.kind === 'maintenance-opened') nodeOf.set(maintenance, event.node)
    const node = nodeOf.get(maintenance)
    if (event.kind !== 'maintenance-ended' || node === undefined) return []
    if (event.ending === 'stuck') {
      stuckNodes.add(node)
      return []
    }
    // What one that is stuck left there stays until a person has seen to it.
    if (stuckNodes.has(node)) return []
    const text = `${maintenance} ended ${event.ending}, and `
    return standing(state, { maintenance, node, isAlone: stuckNodes.size === 0 }).map((what) => ({
      promise: 'liveness',
      event: state.changeCount,
      atMs,
      text: text + what,
    }))
  }
}

type Ended = { readonly maintenance: string; readonly node: NodeName; readonly isAlone: boolean }

function standing({ ceph, nodes }: LabWorld['state'], { maintenance, node, isAlone }: Ended): readonly string[] {
  const left: string[] = []
  if (ceph !== 'none') {
    const lease = Object.entries(ceph.configKeys).find(([key, text]) => isOurs(key, text, maintenance))
    if (lease !== undefined) left.push(`its lease ${lease[0]} stands`)
    // Whoever wrote his lease over ours has the flag too.
    if (ceph.configKeys[LEASE_KEY + node]?.includes('"owner":"coulisse/pve9') === true) return left
    for (const where of [`${node}/noout`, ...(isAlone ? ['cluster/noout'] : [])])
      if (ceph.flagSetBy[where]?.by === 'us' && stands(ceph, where)) left.push(`its flag ${where} stands`)
  }
  if (nodes[node]?.haMaintenanceBy === 'us') left.push(`${node} is in the maintenance mode that it set`)
  return left
}

const isOurs = (key: string, text: string, maintenance: string) =>
  key.startsWith(LEASE_KEY) && text.includes(`"owner":"coulisse/${maintenance}"`)

function stands(ceph: Exclude<LabWorld['state']['ceph'], 'none'>, where: string): boolean {
  const host = where.slice(0, -'/noout'.length)
  const flags = host === 'cluster' ? ceph.flags : (ceph.hostFlags[host] ?? [])
  return flags.includes('noout')
}

/** Looked at when the night is over. */
export function notLively(night: NightResult): readonly Breach[] {
  const { state } = night.lab
  const breaches: Breach[] = []
  const said = (text: string) =>
    breaches.push({ promise: 'liveness', event: state.changeCount, atMs: state.nowMs, text })
  for (const { id, ending, text } of night.maintenances) {
    if (ending === 'crashed') said(`${id} crashed: ${text}`)
    if (ending === 'running') said(`${id} never ended`)
    if (ending === 'stuck' && text === '') said(`${id} is stuck and does not say why`)
    if (ending === 'stuck' && !operatorWasTold(night, id)) said(`${id} is stuck, and no operator was told`)
    if (ending === 'stuck' && leaseOf(night, id) && !text.includes('noout'))
      said(`${id} is stuck, and does not say that its noout lease stands`)
  }
  return breaches
}

function operatorWasTold({ rows }: NightResult, id: string): boolean {
  const end = rows.findIndex(({ maintenance, event }) => maintenance === id && event.kind === 'maintenance-ended')
  return rows
    .slice(end)
    .some(({ maintenance, event }) => maintenance === id && event.kind === 'intends' && event.act.kind === 'notify')
}

function leaseOf({ lab }: NightResult, id: string): boolean {
  const { ceph } = lab.state
  return ceph !== 'none' && Object.entries(ceph.configKeys).some(([key, text]) => isOurs(key, text, id))
}
