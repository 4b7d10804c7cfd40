/** A plan as an operator reads it in a terminal: verdict, blockers, nodes before and after, moves on a time bar. */
import type { ClusterObservation } from '#domain/cluster'
import type { Move, Plan, Violation } from '#domain/plan'

const BAR_CELLS = 40
const GIB = 2 ** 30

export function renderPlan(plan: Plan, cluster: ClusterObservation): string {
  return [
    ...verdict(plan),
    ...section(
      'Blockers',
      plan.blockers.flatMap(({ kind, text, lifts }) => [`  ${kind}: ${text}`, `      lifts: ${lifts}`]),
    ),
    ...section('Nodes (memory, cores allocated)', nodes(plan, cluster)),
    ...section('Moves', moves(plan, cluster)),
    ...section(
      'Stay',
      plan.stays.map(({ text }) => `  ${text}`),
    ),
    ...section('Way home', wayHome(plan)),
    ...section(
      'Notes',
      plan.notes.map((note) => `  ${note}`),
    ),
    '',
  ].join('\n')
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines]
}

function verdict(plan: Plan): readonly string[] {
  const gib = (plan.bytesMoved / GIB).toFixed(1)
  const paused = plan.moves.filter(({ mode }) => mode === 'live').map(({ forecastBlackoutMs }) => forecastBlackoutMs)
  const blocked = plan.blockers.length === 0 ? 'nothing stands in the way' : `${plan.blockers.length} blockers`
  return [
    `Drain ${plan.drain.join(', ')}: ${plan.feasible ? 'every running guest can leave' : 'not every running guest can leave'}; ${blocked}`,
    `  ${plan.moves.length} moves, ${gib} GiB, ${duration(plan.makespanS)} (no plan takes less than ${duration(plan.lowerBoundS)}), ${plan.parallelMigrations} at once`,
    `  forecast: longest blackout ${paused.length === 0 ? 'none' : `${Math.max(...paused)} ms`}; afterwards ${plan.spare.nodesThatMayFail} more node may fail`,
  ]
}

const duration = (seconds: number): string =>
  seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`

function nodes(plan: Plan, cluster: ClusterObservation): readonly string[] {
  const width = Math.max(...cluster.nodes.map(({ name }) => name.length))
  return cluster.nodes.map((node) => {
    const running = cluster.guests.filter((guest) => guest.node === node.name && guest.status === 'running')
    const bytes = running.reduce((sum, { memoryBytes }) => sum + memoryBytes, node.memoryUsedBytes)
    const cores = running.reduce((sum, { cpuCores }) => sum + cpuCores, 0) / node.cpuCores
    const after = plan.after.find(({ node: name }) => name === node.name)
    const memory = `${percent(bytes / node.memoryBytes)} → ${percent(after?.memoryAllocatedFraction ?? 0)}`
    const cpu = `${cores.toFixed(2)} → ${(after?.cpuAllocatedFraction ?? 0).toFixed(2)} a core`
    const state = !node.online
      ? '  offline'
      : plan.drain.includes(node.name)
        ? '  drained'
        : node.maintenance
          ? '  maintenance'
          : ''
    return `  ${node.name.padEnd(width)}  ${memory}   ${cpu}${state}`
  })
}

const percent = (fraction: number): string => `${(fraction * 100).toFixed(1)} %`.padStart(7)

function moves(plan: Plan, cluster: ClusterObservation): readonly string[] {
  const names = new Map(cluster.guests.map(({ vmid, name }) => [vmid, name]))
  const width = Math.max(0, ...plan.moves.map(({ guest }) => `${guest} ${names.get(guest) ?? ''}`.length))
  return plan.moves.map((move) => {
    const who = `${move.guest} ${names.get(move.guest) ?? ''}`.padEnd(width)
    const what = `${move.from} → ${move.to}  ${move.mode.padEnd(7)} ${move.purpose.padEnd(9)}`
    const pause = `${move.forecastBlackoutMs} ms`.padStart(9)
    return `  ${String(move.step).padStart(2)}  ${who}  ${what} ${pause}  ${bar(move, plan.makespanS)}`
  })
}

function bar({ startsAtS, endsAtS }: Move, makespanS: number): string {
  const cell = (seconds: number) => Math.min(BAR_CELLS, Math.round((seconds / Math.max(makespanS, 1e-9)) * BAR_CELLS))
  const from = Math.min(cell(startsAtS), BAR_CELLS - 1)
  const length = Math.max(1, cell(endsAtS) - from)
  return `|${' '.repeat(from)}${'='.repeat(length)}${' '.repeat(Math.max(0, BAR_CELLS - from - length))}|`
}

function wayHome({ wayHome: home }: Plan): readonly string[] {
  const byNode = Map.groupBy(home, ({ to }) => to)
  return [...byNode].map(([node, group]) => `  to ${node}: guests ${group.map(({ guest }) => guest).join(', ')}`)
}

export function renderViolations(violations: readonly Violation[]): string {
  if (violations.length === 0) return 'The plan keeps every rule at every moment.\n'
  const lines = violations.map(
    ({ kind, atStep, text }) => `${atStep === undefined ? '' : `step ${atStep}: `}${kind}: ${text}`,
  )
  return `${lines.join('\n')}\n`
}
