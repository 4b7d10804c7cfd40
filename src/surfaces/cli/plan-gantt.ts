/** A plan's schedule as a Gantt chart in letters: one lane a stream, a wall where a step has ended. */
import type { Move, Plan } from '#domain/plan'
import { barriersOf, clockText, isHot, lanesOf } from './plan-lanes.ts'
import type { Line } from './terminal.ts'

const INDENT = 2
const TICKS = 4
const WALL = '│'

/** As wide as the paper; nothing where nothing moves. */
export function ganttLines(plan: Plan, columns: number): readonly Line[] {
  if (plan.moves.length === 0) return []
  const walls = barriersOf(plan)
  const width = columns - 2 * INDENT
  const cellOf = (seconds: number) => Math.round((seconds / Math.max(plan.makespanS, 1e-9)) * width)
  const indent = { text: ' '.repeat(INDENT), tone: 'plain' } as const
  const lanes = lanesOf(plan.moves).map((lane): Line => {
    const cells = Array.from({ length: width }, () => ' ')
    for (const wall of walls) cells[Math.min(width - 1, cellOf(wall))] = WALL
    for (const move of lane) draw(cells, move, plan, cellOf)
    return [indent, { text: cells.join(''), tone: 'busy' }]
  })
  const isAnyHot = plan.moves.some((move) => isHot(move, plan))
  const legend = [
    'one line a stream',
    ...(walls.length > 0 ? [`${WALL} a step ends`] : []),
    ...(isAnyHot ? ['! writes much: moved alone'] : []),
  ]
  return [
    [indent, { text: legend.join('; '), tone: 'dim' }],
    [indent, { text: scale(plan.makespanS, width), tone: 'dim' }],
    ...lanes,
  ]
}

/** `[141======]`; the guest's number where there is room for it. */
function draw(cells: string[], move: Move, plan: Plan, cellOf: (seconds: number) => number): void {
  const from = Math.min(cells.length - 1, cellOf(move.startsAtS))
  const length = Math.max(1, Math.min(cells.length, cellOf(move.endsAtS)) - from)
  const label = `${isHot(move, plan) ? '!' : ''}${move.guest}`
  const inner = length - 2
  const drawn = length < 3 ? '='.repeat(length) : `[${(label.length <= inner ? label : '').padEnd(inner, '=')}]`
  for (const [index, letter] of [...drawn].entries()) cells[from + index] = letter
}

/** Times over the chart, the last one at its right end. */
function scale(makespanS: number, width: number): string {
  const cells = Array.from({ length: width }, () => ' ')
  for (let tick = 0; tick <= TICKS; tick++) {
    const label = clockText((makespanS * tick) / TICKS)
    const at = Math.min(width - label.length, Math.round((width * tick) / TICKS))
    for (const [index, letter] of [...label].entries()) cells[at + index] = letter
  }
  return cells.join('')
}
