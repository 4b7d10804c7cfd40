/** A plan as a picture in one SVG file, light and dark, without script or font: the schedule as a Gantt chart, and the nodes before and after. */
import type { ClusterObservation } from '#domain/cluster'
import { durationText } from '#domain/figures'
import type { Move, Plan } from '#domain/plan'
import { barriersOf, clockText, guestsById, isHot, isOverBudget, lanesOf } from './plan-lanes.ts'
import { type NodeLoad, nodeLoads } from './plan-loads.ts'

const WIDTH = 1000
const MARGIN = 16
const ROW = 20
const HEAD = 76
const TICKS = 6
/** More moves are drawn on lanes, one a stream, or the picture would be many screens high. */
const ROWS_LIMIT = 60
const LABELS = 300
/** A number of four digits and the bar's own edges. */
const LABEL_INSIDE = 34
/** Right of a bar: "1000 of 3000 ms". */
const PAUSE_WIDTH = 110
const NODE_LABELS = 120
/** Both panels of the nodes, and the figures beside each. */
const PANEL = 400
const PANEL_BAR = 270

const STYLE = `
  svg { color-scheme: light dark; background: var(--paper); --ink: #1a202c; --dim: #566173; --line: #d8dee7; --drain: #2b6cb0; --room: #975a16; --hop: #667080; --hot: #b83280; --over: #c53030; --stay: #7d8ba0; --leave: #d8dee7; --paper: #fff; --in: #fff }
  @media (prefers-color-scheme: dark) { svg { --ink: #e6e9ee; --dim: #a3adbb; --line: #333c49; --drain: #4f94d8; --room: #c98a3a; --hop: #8b95a5; --hot: #e07ab6; --over: #f08080; --stay: #76849a; --leave: #39424f; --paper: #14181f; --in: #0b0f15 } }
  text { font: 13px system-ui, sans-serif; fill: var(--ink); stroke: var(--paper); stroke-width: 3px; paint-order: stroke }
  .title { font-size: 17px; font-weight: 600 } .dim { fill: var(--dim) } .over { fill: var(--over); font-weight: 600 }
  .inside { fill: var(--in); stroke: none; font-size: 12px } .tick { stroke: var(--line) } .wall { stroke: var(--dim); stroke-dasharray: 4 3 }`

type Chart = { readonly left: number; readonly width: number; readonly rows: number }

export function planSvg(plan: Plan, cluster: ClusterObservation): string {
  const isByRow = plan.moves.length <= ROWS_LIMIT
  const lanes = isByRow ? plan.moves.map((move) => [move]) : lanesOf(plan.moves)
  const left = isByRow ? LABELS : MARGIN
  const chart = { left, width: WIDTH - left - MARGIN - (isByRow ? PAUSE_WIDTH : 0), rows: lanes.length }
  const nodesTop = HEAD + chart.rows * ROW + 52
  const loads = nodeLoads(plan, cluster)
  const height = nodesTop + loads.shown.length * ROW + 28
  const [title, subtitle] = headings(plan)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    words({ x: MARGIN, y: 26, of: title, kind: 'title' }),
    words({ x: MARGIN, y: 46, of: subtitle, kind: 'dim' }),
    ...grid(plan, chart),
    ...lanes.flatMap((lane, row) =>
      lane.map((move) => drawMove(move, plan, cluster, { ...chart, y: HEAD + row * ROW, isByRow })),
    ),
    isByRow && plan.moves.length > 0
      ? words({ x: MARGIN, y: HEAD - 9, of: 'beside each bar: pause of accepted', kind: 'dim' })
      : '',
    legend(plan, HEAD + chart.rows * ROW + 20),
    ...loads.shown.flatMap((load, row) => drawNode(load, loads.mostCores, nodesTop + row * ROW)),
    words({ x: MARGIN + NODE_LABELS, y: nodesTop - 8, of: 'memory before and after', kind: 'dim' }),
    words({
      x: MARGIN + NODE_LABELS + PANEL,
      y: nodesTop - 8,
      of: 'cores allocated, by each core it has',
      kind: 'dim',
    }),
    loads.others === 0
      ? ''
      : words({
          x: MARGIN,
          y: height - 10,
          of: `${loads.others} other nodes: memory changes by ${(loads.othersChange * 100).toFixed(1)} % at most`,
          kind: 'dim',
        }),
    '</svg>',
    '',
  ].join('\n')
}

function headings({
  drain,
  moves,
  makespanS,
  lowerBoundS,
  feasible,
  blockers,
  parallelMigrations,
}: Plan): readonly [string, string] {
  const seconds = (s: number) => durationText(s * 1000)
  const stands =
    blockers.length === 0
      ? 'nothing stands in the way'
      : `${blockers.length} blocker${blockers.length === 1 ? '' : 's'}`
  const least = feasible
    ? `no plan takes less than ${seconds(lowerBoundS)}${lowerBoundS > 0 ? ` (this one ${(makespanS / lowerBoundS).toFixed(2)} times that)` : ''}`
    : `in part: to empty all takes ${seconds(lowerBoundS)} at least`
  return [
    `Drain of ${drain.join(', ')}`,
    `${moves.length} moves in ${seconds(makespanS)}, ${parallelMigrations} at once; ${least}; ${stands}`,
  ]
}

/** Text that a chart holds; what does not fit its place is cut by whoever calls. */
const words = ({
  x,
  y,
  of,
  kind = '',
  anchor = 'start',
}: {
  x: number
  y: number
  of: string
  kind?: string
  anchor?: string
}) =>
  `<text${kind === '' ? '' : ` class="${kind}"`} x="${x.toFixed(1)}" y="${y}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escaped(of)}</text>`

const xAt = ({ left, width }: Chart, plan: Plan, seconds: number): number =>
  left + (width * seconds) / Math.max(plan.makespanS, 1e-9)

function grid(plan: Plan, chart: Chart): readonly string[] {
  if (plan.moves.length === 0) return []
  const bottom = HEAD + chart.rows * ROW
  const line = (x: number, kind: string) =>
    `<line class="${kind}" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${HEAD - 4}" y2="${bottom}"/>`
  const ticks = Array.from({ length: TICKS + 1 }, (_, index) => {
    const seconds = (plan.makespanS * index) / TICKS
    const x = xAt(chart, plan, seconds)
    const anchor = index === 0 ? 'start' : 'middle'
    return `${line(x, 'tick')}${words({ x, y: HEAD - 9, of: clockText(seconds), kind: 'dim', anchor: index === TICKS ? 'end' : anchor })}`
  })
  return [...ticks, ...barriersOf(plan).map((seconds) => line(xAt(chart, plan, seconds), 'wall'))]
}

type Place = Chart & { readonly y: number; readonly isByRow: boolean }

function drawMove(move: Move, plan: Plan, cluster: ClusterObservation, place: Place): string {
  const guest = guestsById(cluster).get(move.guest)
  const x = xAt(place, plan, move.startsAtS)
  const width = Math.max(2, xAt(place, plan, move.endsAtS) - x - 1)
  const budget = move.mode === 'live' && guest?.pauseBudgetMs !== undefined ? ` of ${guest.pauseBudgetMs}` : ''
  const pause = move.mode === 'offline' ? 'stopped' : `${move.forecastBlackoutMs}${budget} ms`
  const name = `${move.guest} ${guest?.name ?? ''}`
  const told = `step ${move.step}, ${name}, ${move.from} → ${move.to}: ${move.mode}, ${move.purpose}, ${clockText(move.startsAtS)} to ${clockText(move.endsAtS)}, pause ${pause}`
  const bar = `<rect class="move" x="${x.toFixed(1)}" y="${place.y + 2}" width="${width.toFixed(1)}" height="${ROW - 5}" rx="2" fill="var(--${colourOf(move, plan)})"><title>${escaped(told)}</title></rect>`
  if (!place.isByRow) {
    const label =
      width < LABEL_INSIDE ? '' : words({ x: x + 5, y: place.y + 14, of: String(move.guest), kind: 'inside' })
    return `${bar}${label}`
  }
  const kind = isOverBudget(move, guest) ? 'over' : 'dim'
  return [
    words({ x: MARGIN, y: place.y + 14, of: `${move.step}`, kind: 'dim' }),
    words({ x: MARGIN + 22, y: place.y + 14, of: cut(name, 20) }),
    words({ x: LABELS - 10, y: place.y + 14, of: cut(`${move.from} → ${move.to}`, 18), kind: 'dim', anchor: 'end' }),
    bar,
    words({ x: x + width + 5, y: place.y + 14, of: pause, kind }),
  ].join('')
}

const cut = (text: string, letters: number): string => (text.length > letters ? `${text.slice(0, letters - 1)}…` : text)

function colourOf(move: Move, plan: Plan): string {
  if (isHot(move, plan)) return 'hot'
  return move.purpose === 'make-room' ? 'room' : move.purpose === 'park' ? 'hop' : 'drain'
}

/** Only what the picture holds. */
function legend(plan: Plan, y: number): string {
  const kinds = [
    { colour: 'drain', of: 'leaves the node' },
    { colour: 'hot', of: 'writes much, moved alone' },
    { colour: 'room', of: 'makes room' },
    { colour: 'hop', of: 'steps aside' },
  ].filter(({ colour }) => plan.moves.some((move) => colourOf(move, plan) === colour))
  const walls =
    barriersOf(plan).length > 0
      ? [
          `<line class="wall" x1="${WIDTH - 250}" x2="${WIDTH - 250}" y1="${y - 12}" y2="${y + 2}"/>${words({ x: WIDTH - 242, y, of: 'a step has ended, the next begins', kind: 'dim' })}`,
        ]
      : []
  return [
    ...kinds.map(({ colour, of }, index) => {
      const x = MARGIN + index * 180
      return `<rect x="${x}" y="${y - 10}" width="12" height="12" rx="2" fill="var(--${colour})"/>${words({ x: x + 18, y, of, kind: 'dim' })}`
    }),
    ...walls,
  ].join('')
}

function drawNode({ name, was, is, state }: NodeLoad, mostCores: number, y: number): readonly string[] {
  const label = words({ x: MARGIN, y: y + 14, of: cut(`${name} ${state}`, 17) })
  const panel = (left: number, [before, after]: readonly [number, number], most: number, of: string) => {
    const length = (part: number) => (PANEL_BAR * Math.min(1, Math.max(0, part / most))).toFixed(1)
    const stays = Math.min(before, after)
    const rest = Math.max(before, after) - stays
    return [
      `<rect x="${left}" y="${y + 3}" width="${length(stays)}" height="${ROW - 7}" fill="var(--stay)"/>`,
      `<rect x="${(left + Number(length(stays))).toFixed(1)}" y="${y + 3}" width="${length(rest)}" height="${ROW - 7}" fill="var(--${after > before ? 'drain' : 'leave'})"/>`,
      words({ x: left + PANEL_BAR + 8, y: y + 14, of, kind: 'dim' }),
    ].join('')
  }
  const percent = (fraction: number) => (fraction * 100).toFixed(1)
  const left = MARGIN + NODE_LABELS
  return [
    label,
    panel(left, [was.memory, is.memory], 1, `${percent(was.memory)} → ${percent(is.memory)} %`),
    panel(left + PANEL, [was.cores, is.cores], mostCores, `${was.cores.toFixed(2)} → ${is.cores.toFixed(2)}`),
  ]
}

/** Names come from outside; letters that no XML may hold are left out. */
const escaped = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it leaves out
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
