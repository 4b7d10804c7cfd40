/** What the doctor says of Prometheus: whether it is there, and whether what it holds is enough to find a fan that drops out. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Series } from './answers.ts'
import type { PrometheusClient, Told } from './client.ts'
import type { Placing } from './placing.ts'
import { type ReadSeries, readSeries, SELECTORS } from './readings.ts'

/** Long enough for several scrapes of a slow job. */
const WINDOW_MS = 15 * 60_000
/** A dropout of half a minute must fall on a scrape or two. */
const SCRAPE_LIMIT_MS = 60_000
const AGE_LIMIT_MS = 5 * 60_000
const CLOCK_LIMIT_MS = 5_000
const NAMES_SHOWN = 10

export type PrometheusExam = {
  readonly url: string
  readonly client: PrometheusClient
  readonly placing: Placing
  readonly nowMs: number
}

const check = (subject: string, outcome: Check['outcome'], text: string, mend?: string): Check => ({
  area: 'prometheus',
  subject,
  outcome,
  text,
  ...(outcome === 'fine' ? {} : { stages: ['detect'] }),
  ...(mend === undefined ? {} : { mend }),
})

/** Looks only. What it finds wrong is a Check, never an error. */
export async function examinePrometheus(exam: PrometheusExam): Promise<readonly Check[]> {
  const { url, client } = exam
  try {
    const version = await client.version().catch(refusedAs('of a version that it does not tell'))
    const time = await client.time()
    const answers: Told<readonly Series[]>[] = []
    for (const selector of SELECTORS) answers.push(await client.range('read the fleet’s series', selector, WINDOW_MS))
    const series = readSeries(
      answers.flatMap(({ data }) => data),
      exam.placing,
    )
    return [
      check(url, 'fine', `answers, ${version}`),
      clockCheck(exam, time.value * 1000),
      ...warningChecks(url, answers),
      ...coverage(exam, series),
      ...strangers(series),
      ...pace(exam, series, time.value * 1000),
    ]
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const mend =
      error.retry === 'never'
        ? 'correct prometheus.url, its sign-in or its certificate in the configuration'
        : `make it answer: curl ${url}/-/ready`
    return [check(url, 'missing', error.message, mend)]
  }
}

/** Servers that speak its API only need not tell what they are. */
const refusedAs = (text: string) => (error: unknown) => {
  if (error instanceof DriverError && error.retry === 'never') return text
  throw error
}

function clockCheck({ url, nowMs }: PrometheusExam, theirsMs: number): Check {
  const offMs = theirsMs - nowMs
  const text = `its clock is ${Math.abs(offMs / 1000).toFixed(1)} s ${offMs < 0 ? 'behind' : 'ahead of'} ours`
  return Math.abs(offMs) <= CLOCK_LIMIT_MS
    ? check(`${url} clock`, 'fine', text)
    : check(`${url} clock`, 'dangerous', text, 'set both by NTP: chronyc tracking')
}

const warningChecks = (url: string, answers: readonly Told<unknown>[]): readonly Check[] =>
  [...new Set(answers.flatMap(({ warnings }) => warnings))].map((one) =>
    check(
      url,
      'dangerous',
      `it answers in part only: ${one}`,
      'what it leaves out is not measured: mend the store that it names',
    ),
  )

function coverage({ placing }: PrometheusExam, { readings }: ReadSeries): readonly Check[] {
  const seen = new Set(readings.filter(({ kind }) => kind === 'fan').map(({ node }) => node))
  const blind = placing.nodes.filter((node) => !seen.has(node))
  const good =
    seen.size === 0
      ? []
      : [check('fans', 'fine', `Prometheus has the fans of ${seen.size} of ${placing.nodes.length} nodes`)]
  if (blind.length === 0) return good
  const text = `no reading of a fan within ${WINDOW_MS / 60_000} min of ${shown(blind)}`
  const mend = 'scrape their BMCs by the IPMI exporter, or name them in monitoringLabels: see docs/operations.md'
  return [...good, check('fans', 'missing', text, mend)]
}

function strangers({ strangers: all }: ReadSeries): readonly Check[] {
  if (all.length === 0) return []
  const mend = 'write a rule in monitoringLabels.rules, or leave it: these are not read'
  return [check('targets', 'missing', `${shown(all)}: targets of no node of ours`, mend)]
}

/** The age of the newest scrape, and the time between two, of each target. */
function pace(_: PrometheusExam, { targets }: ReadSeries, theirsMs: number): readonly Check[] {
  const all = [...targets].map(([target, { node, scrapesMs }]) => ({
    name: `${target.trim()} (${node})`,
    node,
    ageMs: theirsMs - Math.max(...scrapesMs),
    gapMs: medianGapMs(scrapesMs),
  }))
  const old = all.filter(({ ageMs }) => ageMs > AGE_LIMIT_MS)
  const slow = all.filter(({ gapMs }) => gapMs !== undefined && gapMs > SCRAPE_LIMIT_MS)
  return [
    ...old.map(({ name, ageMs }) =>
      check(
        name,
        'missing',
        `its newest reading is ${Math.round(ageMs / 1000)} s old`,
        `look why it is not scraped: its page /targets`,
      ),
    ),
    ...slow.map(({ name, gapMs = 0 }) =>
      check(
        name,
        'dangerous',
        `is scraped every ${Math.round(gapMs / 1000)} s: what drops out for less is seen by chance`,
        'scrape_interval: 30s in its job',
      ),
    ),
    ...(all.length > 0 && old.length + slow.length === 0
      ? [check('scrapes', 'fine', `${all.length} targets, each scraped within ${SCRAPE_LIMIT_MS / 1000} s`)]
      : []),
  ]
}

function medianGapMs(scrapesMs: readonly number[]): number | undefined {
  const gaps = scrapesMs.slice(1).map((atMs, index) => atMs - (scrapesMs[index] ?? atMs))
  return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)]
}

const shown = (names: readonly (string | NodeName)[]) =>
  `${names.slice(0, NAMES_SHOWN).join(', ')}${names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''}`
