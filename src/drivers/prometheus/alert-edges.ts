/**
 * From alerts as they arrive (doubled, repeated every few hours, late, out of order, from two Alertmanagers at once) to the edges
 * that happened. Pure; its memory is JSON.
 */
import type { PartSignal } from '#domain/signal'
import type { KeptAlert } from './webhook.ts'

type Known = { readonly startsAtMs: number; readonly status: KeptAlert['status']; readonly heardAtMs: number }

/** By fingerprint: the newest that we know of each alert. */
export type AlertMemory = Readonly<Record<string, Known>>

/** An alert that we hear of only when it is over still was a dropout, unless that was long ago. */
const NEWS_LIMIT_MS = 3_600_000
/** More alerts than this are not remembered: those that ended, or were heard of longest ago, go first. */
const MEMORY_LIMIT = 10_000

export type AlertEdges = { readonly memory: AlertMemory; readonly signals: readonly PartSignal[] }

export function alertEdges(before: AlertMemory, alerts: readonly KeptAlert[]): AlertEdges {
  const memory: Record<string, Known> = { ...before }
  const signals: PartSignal[] = []
  for (const alert of alerts) {
    const known = Object.hasOwn(memory, alert.fingerprint) ? memory[alert.fingerprint] : undefined
    signals.push(...edgesOf(known, alert))
    memory[alert.fingerprint] = newest(known, alert)
  }
  return { memory: bounded(memory), signals }
}

function edgesOf(known: Known | undefined, alert: KeptAlert): readonly PartSignal[] {
  if (known === undefined || alert.startsAtMs > known.startsAtMs) {
    // It fires anew: that it had been over in between reached nobody.
    const lost = known?.status === 'firing' ? [deassert(alert, alert.startsAtMs)] : []
    return [...lost, ...begin(alert)]
  }
  if (known.status === 'resolved') return []
  if (alert.status === 'resolved') return isEndOf(known, alert) ? [deassert(alert)] : []
  // Repeated: it still fires, and nothing began. The detector takes it as one more look.
  return alert.startsAtMs === known.startsAtMs ? [signal(alert, null, alert.receivedAtMs)] : []
}

/** Alertmanager may move a beginning backwards when it merges what two Prometheis sent. */
const isEndOf = (known: Known, { startsAtMs, endsAtMs }: KeptAlert) =>
  startsAtMs === known.startsAtMs || (endsAtMs ?? 0) > known.startsAtMs

function begin(alert: KeptAlert): readonly PartSignal[] {
  const assert = signal(alert, 'assert', alert.startsAtMs)
  if (alert.status === 'firing') return [assert]
  const endedAtMs = alert.endsAtMs ?? alert.receivedAtMs
  return alert.receivedAtMs - endedAtMs > NEWS_LIMIT_MS ? [] : [assert, deassert(alert)]
}

const deassert = (alert: KeptAlert, atMs = alert.endsAtMs ?? alert.receivedAtMs) => signal(alert, 'deassert', atMs)

function signal(alert: KeptAlert, edge: PartSignal['edge'], atMs: number): PartSignal {
  const { receivedAtMs, node, part, kind, state, value, unit } = alert
  return {
    is: 'part',
    atMs,
    receivedAtMs,
    node,
    source: 'alert',
    part,
    kind,
    state,
    edge,
    ...(value === undefined || edge === 'deassert' ? {} : { value }),
    ...(unit === undefined || edge === 'deassert' ? {} : { unit }),
  }
}

function newest(known: Known | undefined, alert: KeptAlert): Known {
  const { startsAtMs, status, receivedAtMs } = alert
  const heardAtMs = Math.max(receivedAtMs, known?.heardAtMs ?? receivedAtMs)
  if (known === undefined || startsAtMs > known.startsAtMs) return { startsAtMs, status, heardAtMs }
  const isOver = known.status === 'resolved' || (status === 'resolved' && isEndOf(known, alert))
  return { ...known, status: isOver ? 'resolved' : 'firing', heardAtMs }
}

function bounded(memory: Readonly<Record<string, Known>>): AlertMemory {
  const all = Object.entries(memory)
  if (all.length <= MEMORY_LIMIT) return memory
  const rank = ({ status, heardAtMs }: Known) => (status === 'firing' ? 1e15 : 0) + heardAtMs
  return Object.fromEntries(all.sort(([, a], [, b]) => rank(b) - rank(a)).slice(0, MEMORY_LIMIT))
}
