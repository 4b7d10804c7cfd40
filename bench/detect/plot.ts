/** Draws the comparison: median delay against dropouts a day, one line a detector, its false alarms beside its name. */

export type Line = {
  readonly name: string
  readonly falseAlarms: number
  /** Median delay in hours by dropouts a day; null where it is never found. */
  readonly points: readonly { readonly perDay: number; readonly hours: number | null }[]
  readonly isOurs: boolean
}

const WIDTH = 900
const HEIGHT = 560
const LEFT = 78
const RIGHT = 330
const TOP = 64
const BOTTOM = 64
const HOURS_FROM = 0.1
const HOURS_TO = 1000
/** Okabe and Ito's colours, told apart by most eyes and on either ground. */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#8c8c8c', '#b8a000']
const DASHES = ['none', '7 4', '2 4', '10 3 2 3', '4 2', '1 3', '12 5', '6 2 2 2']

const STYLE = `
:root { --ground: #ffffff; --ink: #1f2328; --dim: #59636e; --grid: #d1d9e0 }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --ink: #f0f6fc; --dim: #9198a1; --grid: #30363d } }
text { font: 13px system-ui, sans-serif; fill: var(--ink) } .dim { fill: var(--dim) } .title { font-size: 16px; font-weight: 600 }
.ours { font-weight: 600 }`

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** An SVG of its own, readable on light and dark ground. */
export function plotOf(lines: readonly Line[], ratesPerDay: readonly number[]): string {
  const x = scale(Math.log(ratesPerDay[0] ?? 1), Math.log(ratesPerDay.at(-1) ?? 1), LEFT, WIDTH - RIGHT)
  const y = scale(Math.log(HOURS_FROM), Math.log(HOURS_TO), HEIGHT - BOTTOM, TOP)
  const sorted = [...lines].sort((a, b) => endOf(b) - endOf(a))
  const drawn = sorted.map((line, index) => drawLine(line, index, { x, y, labelY: TOP + 14 + index * 46 }))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Median delay until a failing fan is found, by dropouts a day, for each detector">
<style>${STYLE}</style>
<rect width="${WIDTH}" height="${HEIGHT}" fill="var(--ground)"/>
<text x="${LEFT}" y="28" class="title">Median delay until a failing fan is found</text>
<text x="${LEFT}" y="46" class="dim">simulated; beside each name its false alarms in 100 healthy fan-years</text>
${grid(x, y, ratesPerDay)}
${drawn.join('\n')}
</svg>
`
}

type Scale = (value: number) => number

const scale =
  (from: number, to: number, low: number, high: number): Scale =>
  (value) =>
    low + ((Math.log(value) - from) / (to - from)) * (high - low)

const endOf = ({ points }: Line) => points.findLast(({ hours }) => hours !== null)?.hours ?? HOURS_TO * 10

const GRID_HOURS: readonly (readonly [number, string])[] = [
  [0.1, '6 min'],
  [0.5, '30 min'],
  [1, '1 h'],
  [3, '3 h'],
  [12, '12 h'],
  [24, '1 day'],
  [72, '3 days'],
  [240, '10 days'],
  [720, '30 days'],
]

function grid(x: Scale, y: Scale, ratesPerDay: readonly number[]): string {
  const across = GRID_HOURS.map(
    ([hours, label]) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(hours).toFixed(1)}" y2="${y(hours).toFixed(1)}" stroke="var(--grid)"/><text x="${LEFT - 8}" y="${(y(hours) + 4).toFixed(1)}" text-anchor="end" class="dim">${label}</text>`,
  )
  const down = ratesPerDay.map(
    (perDay) =>
      `<text x="${x(perDay).toFixed(1)}" y="${HEIGHT - BOTTOM + 22}" text-anchor="middle" class="dim">${perDay}</text>`,
  )
  const label = `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 16}" text-anchor="middle">dropouts a day</text>`
  return [...across, ...down, label].join('\n')
}

function drawLine(line: Line, index: number, { x, y, labelY }: { x: Scale; y: Scale; labelY: number }): string {
  const colour = line.isOurs ? 'var(--ink)' : COLOURS[index % COLOURS.length]
  const dash = line.isOurs ? 'none' : DASHES[index % DASHES.length]
  const width = line.isOurs ? 3.5 : 2
  const known = line.points.flatMap(({ perDay, hours }) =>
    hours === null ? [] : [[x(perDay), y(Math.max(HOURS_FROM, hours))] as const],
  )
  const path = known.map(([px, py], at) => `${at === 0 ? 'M' : 'L'}${px.toFixed(1)} ${py.toFixed(1)}`).join('')
  const dots = known.map(
    ([px, py]) => `<circle cx="${px.toFixed(1)}" cy="${py.toFixed(1)}" r="${width + 1}" fill="${colour}"/>`,
  )
  const labelX = WIDTH - RIGHT + 56
  const never = known.length === 0 ? ', never finds it' : known.length < line.points.length ? ', fast faults only' : ''
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dash}"/>${dots.join('')}
<line x1="${labelX - 36}" x2="${labelX - 8}" y1="${labelY - 4}" y2="${labelY - 4}" stroke="${colour}" stroke-width="${width}" stroke-dasharray="${dash}"/>
<text x="${labelX}" y="${labelY}"${line.isOurs ? ' class="ours"' : ''}>${escaped(line.name)}</text><text x="${labelX}" y="${labelY + 16}" class="dim">${line.falseAlarms} false alarms${never}</text>`
}
