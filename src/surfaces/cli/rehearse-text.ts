/** A rehearsal as an operator reads it in a terminal: how the nights ended, the spread beside the plan's forecast, histograms. */
import { type Bin, histogramOf, type Spread } from '#app/rehearsal/spread'
import { typicalFaultTexts } from '#app/rehearsal/typical-faults'
import { countText, durationText } from '#domain/figures'
import { planFigures, type Told } from './rehearse-json.ts'

const BINS = 12
const BAR_CELLS = 40
const COLUMN = 14
/** Seeds named in one line; the rest is counted. */
const NAMED_LIMIT = 8

export function renderRehearsal(told: Told, { withLog }: { readonly withLog: boolean }): string {
  const { rehearsal, faults, assumptions } = told
  const { nights, notDone, log, blockers } = rehearsal
  return [
    verdict(told),
    ...section(
      'Blockers',
      blockers.flatMap(({ kind, text, lifts }) => [`  ${kind}: ${text}`, `      lifts: ${lifts}`]),
    ),
    ...section('Spread over the nights (simulated)', spreads(told)),
    ...section('Not done', notDone.map(notDoneLine)),
    ...section(
      'Promises broken',
      nights.flatMap(({ seed, brokenPromises }) => brokenPromises.map((one) => `  seed ${seed}: ${one}`)),
    ),
    ...section(
      'Moves of the drain, first to last (simulated)',
      histogram(nights.flatMap(({ movesS }) => (movesS === undefined ? [] : [movesS * 1000]))),
    ),
    ...section(
      'Longest pause of each night (simulated)',
      histogram(nights.flatMap(({ pausesMs }) => (pausesMs.length === 0 ? [] : [Math.max(...pausesMs)]))),
    ),
    ...section(
      'What may strike, by our own estimate',
      faults === 'none' ? [] : typicalFaultTexts().map((one) => `  ${one}`),
    ),
    ...section(
      'Assumed',
      assumptions.map((one) => `  ${one}`),
    ),
    ...section('Log of the first night (simulated)', withLog ? log : []),
    '',
  ].join('\n')
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...lines]

function verdict({ rehearsal, cluster }: Told): string {
  const { nights, endings, node, blockers } = rehearsal
  const what = `Rehearsal of ${node} out of ${cluster.name} and back (simulated)`
  if (blockers.length > 0) return `${what}: blocked before the first move, ${countText(blockers.length, 'blocker')}`
  const ends = Object.entries(endings).map(([ending, count]) => `${count} ${ending === 'none' ? 'broke' : ending}`)
  return `${what}: ${countText(nights.length, 'night')}, ${ends.join(', ')}`
}

type Row = readonly [name: string, plan: string, spread: Spread | undefined, text: (figure: number) => string]

function spreads({ rehearsal }: Told): readonly string[] {
  const { spreads: of, nights } = rehearsal
  if (nights.length === 0) return []
  const plan = planFigures(rehearsal)
  const seconds = (figure: number) => durationText(figure * 1000)
  const rows: readonly Row[] = [
    ['moves of the drain', seconds(plan.makespanS), of.movesS, seconds],
    ['drain, with its proof', '', of.drainS, seconds],
    ['repair, with hands', '', of.repairS, seconds],
    ['data whole, guests home', '', of.homeS, seconds],
    ['the whole', '', of.wholeS, seconds],
    [
      'longest pause',
      plan.longestPauseMs === null ? '' : durationText(plan.longestPauseMs),
      of.longestPauseMs,
      durationText,
    ],
    ['every pause', '', of.pauseMs, durationText],
    ['pauses over budget', '', of.pausesOverBudget, String],
    ['longest restart', '', of.longestRestartMs, durationText],
  ]
  const head = ['', 'plan', 'median', 'p5', 'p95', 'worst'].map(cell).join('').trimEnd()
  return [
    `  ${' '.repeat(24 - COLUMN)}${head}`,
    ...rows.flatMap(([name, forecast, spread, text]) => {
      if (spread === undefined) return []
      const { median, p5, p95, worst } = spread
      return [`  ${name.padEnd(24)}${[forecast, ...[median, p5, p95, worst].map(text)].map(cell).join('').trimEnd()}`]
    }),
  ]
}

const cell = (text: string) => text.padEnd(COLUMN)

function notDoneLine({ ending, why, count, seeds }: Told['rehearsal']['notDone'][number]): string {
  const named = seeds.slice(0, NAMED_LIMIT).join(', ')
  const more = seeds.length > NAMED_LIMIT ? ` and ${seeds.length - NAMED_LIMIT} more` : ''
  return `  ${countText(count, 'night')} ${ending === 'none' ? 'broke' : ending}: ${why} (seed ${named}${more})`
}

/** Figures in ms. One night is no histogram. */
function histogram(figuresMs: readonly number[]): readonly string[] {
  if (figuresMs.length < 2) return []
  const bins = histogramOf(figuresMs, Math.min(BINS, Math.ceil(Math.sqrt(figuresMs.length)) + 2))
  const most = Math.max(...bins.map(({ count }) => count))
  return bins.map((bin) => `  ${span(bin).padEnd(26)} ${bar(bin.count, most)}`)
}

const span = ({ from, to }: Bin) => (from === to ? durationText(from) : `${durationText(from)} to ${durationText(to)}`)

const bar = (count: number, most: number) =>
  count === 0 ? '' : `${'#'.repeat(Math.max(1, Math.round((count / most) * BAR_CELLS)))} ${count}`
