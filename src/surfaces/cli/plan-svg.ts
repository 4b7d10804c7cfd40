/** A plan's schedule as a Gantt chart in SVG: one row a move, time from left to right, in one file without script or font. */
import type { ClusterObservation } from '#domain/cluster'
import type { Move, Plan } from '#domain/plan'

const ROW = 18
const TOP = 46
const LABELS = 320
const CHART = 640
const TICKS = 8
const COLOURS: Readonly<Record<Move['purpose'], string>> = { drain: '#2b6cb0', 'make-room': '#b7791f', park: '#718096' }

export function planSvg(plan: Plan, { guests }: ClusterObservation): string {
  const names = new Map(guests.map(({ vmid, name }) => [vmid, name]))
  const height = TOP + plan.moves.length * ROW + 8
  const xAt = (seconds: number) => LABELS + (CHART * seconds) / Math.max(plan.makespanS, 1e-9)
  const title = `Drain of ${plan.drain.join(', ')}: ${plan.moves.length} moves, ${plan.makespanS} s, no plan takes less than ${plan.lowerBoundS} s`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LABELS + CHART + 20}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    `<text x="8" y="16">${escaped(title)}</text>`,
    ...ticks(plan.makespanS, height, xAt),
    ...plan.moves.map((move, row) => bar(move, names.get(move.guest) ?? '', TOP + row * ROW, xAt)),
    '</svg>',
    '',
  ].join('\n')
}

function ticks(makespanS: number, height: number, xAt: (seconds: number) => number): readonly string[] {
  return Array.from({ length: TICKS + 1 }, (_, index) => {
    const seconds = (makespanS * index) / TICKS
    const x = xAt(seconds).toFixed(1)
    return `<line x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${height}" stroke="#e2e8f0"/><text x="${x}" y="${TOP - 10}" text-anchor="middle" fill="#4a5568">${seconds.toFixed(0)} s</text>`
  })
}

function bar(move: Move, name: string, y: number, xAt: (seconds: number) => number): string {
  const x = xAt(move.startsAtS)
  const width = Math.max(1, xAt(move.endsAtS) - x)
  const label = `${move.step}  ${move.guest} ${name}  ${move.from} → ${move.to}`
  const told = `${label}: ${move.mode}, ${move.purpose}, ${move.startsAtS} s to ${move.endsAtS} s, blackout ${move.forecastBlackoutMs} ms`
  return `<text x="8" y="${y + 12}">${escaped(label)}</text><rect class="move" x="${x.toFixed(1)}" y="${y + 2}" width="${width.toFixed(1)}" height="${ROW - 5}" fill="${COLOURS[move.purpose]}"><title>${escaped(told)}</title></rect>`
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
