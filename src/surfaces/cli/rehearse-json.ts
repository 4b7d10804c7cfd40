/** A rehearsal as one JSON object: `forecast` (the plan's own beside the spread of the nights), `events` of the first seed. */
import type { Rehearsal } from '#app/rehearsal/rehearse'
import { typicalFaultTexts } from '#app/rehearsal/typical-faults'
import type { ClusterObservation } from '#domain/cluster'

export type Told = {
  readonly rehearsal: Rehearsal
  readonly faults: 'none' | 'typical'
  readonly assumptions: readonly string[]
  readonly cluster: ClusterObservation
}

export function rehearsalJson({ rehearsal, faults, assumptions, cluster }: Told) {
  const { plan, nights, spreads, endings, notDone, blockers, events } = rehearsal
  return {
    format: 'coulisse/rehearsal@1',
    simulated: true,
    cluster: cluster.name,
    drain: [rehearsal.node],
    observedAt: new Date(cluster.observedAtMs).toISOString(),
    feasible: plan.feasible,
    blockers,
    forecast: {
      simulated: true,
      plan: planFigures(rehearsal),
      nights: nights.length,
      endings,
      ...spreads,
      notDone,
    },
    faults: faults === 'none' ? [] : typicalFaultTexts(),
    assumptions,
    nights: nights.map(({ pausesMs, ...night }) => ({
      ...night,
      longestPauseMs: pausesMs.length === 0 ? null : Math.max(...pausesMs),
    })),
    events,
  }
}

/** What the planner itself forecasts, from the figures that were observed. */
export function planFigures({ plan }: Pick<Rehearsal, 'plan'>) {
  const live = plan.moves.filter(({ mode }) => mode === 'live').map(({ forecastBlackoutMs }) => forecastBlackoutMs)
  return {
    moves: plan.moves.length,
    makespanS: plan.makespanS,
    lowerBoundS: plan.lowerBoundS,
    longestPauseMs: live.length === 0 ? null : live.reduce((most, one) => Math.max(most, one), 0),
    bytesMoved: plan.bytesMoved,
    parallelMigrations: plan.parallelMigrations,
  }
}
