/** The spread of a rehearsal as SVG: two histograms with the plan's own forecast marked, in one file without script or font. */
import type { Rehearsal } from '#app/rehearsal/rehearse'
import { histogramOf, type Spread, scaleFor } from '#app/rehearsal/spread'
import { countText, durationText } from '#domain/figures'
import { planFigures } from './rehearse-json.ts'

const WIDTH = 860
const LEFT = 48
const CHART = WIDTH - LEFT - 24
const PANEL = 240
const BARS = 150
const TOP = 44
const BINS = 24
const TICKS = 6

type Panel = {
  readonly title: string
  readonly figuresMs: readonly number[]
  readonly spread: Spread | undefined
  readonly forecastMs: number | null
}

export function rehearsalSvg(rehearsal: Rehearsal): string {
  const { nights, node, spreads } = rehearsal
  const plan = planFigures(rehearsal)
  const inMs = ({ p5, median, p95, worst }: Spread) => ({
    p5: p5 * 1000,
    median: median * 1000,
    p95: p95 * 1000,
    worst: worst * 1000,
  })
  const panels: readonly Panel[] = [
    {
      title: 'Moves of the drain, first to last',
      figuresMs: nights.flatMap(({ movesS }) => (movesS === undefined ? [] : [movesS * 1000])),
      spread: spreads.movesS === undefined ? undefined : inMs(spreads.movesS),
      forecastMs: plan.makespanS * 1000,
    },
    {
      title: 'Longest pause of each night',
      figuresMs: nights.flatMap(({ pausesMs }) => (pausesMs.length === 0 ? [] : [Math.max(...pausesMs)])),
      spread: spreads.longestPauseMs,
      forecastMs: plan.longestPauseMs,
    },
  ]
  const title = `Rehearsal of ${node}: ${countText(nights.length, 'simulated night')}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${TOP + panels.length * PANEL}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    `<text x="8" y="20" font-size="15">${escaped(title)}</text>`,
    ...panels.flatMap((panel, index) => draw(panel, TOP + index * PANEL)),
    '</svg>',
    '',
  ].join('\n')
}

function draw({ title, figuresMs, spread, forecastMs }: Panel, top: number): readonly string[] {
  const said =
    spread === undefined
      ? 'nothing was measured'
      : `median ${durationText(spread.median)}, p95 ${durationText(spread.p95)}, worst ${durationText(spread.worst)}`
  const heading = `<text x="8" y="${top + 14}">${escaped(`${title} (simulated): ${said}`)}</text>`
  const scale = scaleFor(forecastMs === null ? figuresMs : [...figuresMs, forecastMs])
  const binCount = Math.min(BINS, Math.ceil(Math.sqrt(figuresMs.length)) + 2)
  const bins = histogramOf(figuresMs, binCount, scale)
  const [first, last] = [bins[0], bins.at(-1)]
  if (first === undefined || last === undefined) return [heading]
  const low = scale.toPlace(Math.min(first.from, forecastMs ?? first.from))
  const high = Math.max(scale.toPlace(Math.max(last.to, forecastMs ?? last.to)), low + 1e-6)
  const xAt = (ms: number) => LEFT + (CHART * (scale.toPlace(ms) - low)) / (high - low)
  const most = Math.max(...bins.map(({ count }) => count))
  const base = top + 30 + BARS
  const bars = bins.map(({ from, to, count }) => {
    const height = (BARS * count) / most
    const width = Math.max(2, xAt(to) - xAt(from) - 1)
    const told = `${durationText(from)} to ${durationText(to)}: ${countText(count, 'night')}`
    return `<rect class="bin" x="${xAt(from).toFixed(1)}" y="${(base - height).toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="#2b6cb0"><title>${escaped(told)}</title></rect>`
  })
  const ticks = Array.from({ length: TICKS + 1 }, (_, index) => {
    const ms = scale.toFigure(low + ((high - low) * index) / TICKS)
    return `<text x="${xAt(ms).toFixed(1)}" y="${base + 16}" text-anchor="middle" fill="#4a5568">${durationText(ms)}</text>`
  })
  const axis = `<line x1="${LEFT}" x2="${LEFT + CHART}" y1="${base}" y2="${base}" stroke="#4a5568"/>`
  const forecast =
    forecastMs === null
      ? []
      : [
          `<line class="plan" x1="${xAt(forecastMs).toFixed(1)}" x2="${xAt(forecastMs).toFixed(1)}" y1="${top + 24}" y2="${base}" stroke="#c53030" stroke-dasharray="4 3"/>`,
          `<text x="${(xAt(forecastMs) + 4).toFixed(1)}" y="${top + 34}" fill="#c53030">plan ${durationText(forecastMs)}</text>`,
        ]
  return [heading, ...bars, axis, ...ticks, ...forecast]
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
