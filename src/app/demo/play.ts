/** Plays the demo's story to its end: breaks the fan, lets the people act, follows the journal, sums up. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { canonicalJson } from '#domain/json'
import { openWorkOrderOf } from '#domain/view'
import { NODE_TO_REPAIR } from './cluster.ts'
import type { Demo } from './launch.ts'
import {
  approveAsOperator,
  breakFan,
  carryAnswers,
  hearStory,
  readEvidence,
  readRoots,
  readTruth,
  type Told,
  worldTime,
} from './people.ts'
import { readRealFigures, readRealGuests } from './real.ts'
import { markFinished } from './state-folder.ts'
import { type DemoSummary, reportsIn, summarize } from './summary.ts'

export type PlayedDemo =
  | { readonly is: 'ended'; readonly summary: DemoSummary; readonly told: Told }
  /** Ctrl-C. */
  | { readonly is: 'stopped' }
  /** The lab or the control plane died. */
  | { readonly is: 'broken'; readonly text: string }

const STORY = { dropoutsPerDay: 12, pullsCords: true }
/**
 * Where time cannot jump: a dropout every eight minutes, or the evidence would take an hour. The cords stay in: ipmitool needs
 * 4 s of real time to find a dark BMC dark, at every look.
 */
const REAL_STORY = { dropoutsPerDay: 180, pullsCords: false }
const LOOK_EVERY_MS = 100
/** Longer than any answer of the outside may take: with neither a new row nor a tick of world time for so long, nothing will come. */
const STANDSTILL_LIMIT_MS = 180_000

export async function playDemo(
  demo: Demo,
  options: { readonly signal: AbortSignal; readonly onTold: (told: Told, nowMs: number) => void },
): Promise<PlayedDemo> {
  const startMs = Math.round(performance.now())
  let dead: string | undefined
  demo.broken.then((name) => {
    dead = name
  })
  await breakFan(demo.control, { node: NODE_TO_REPAIR, ...(demo.isReal ? REAL_STORY : STORY) })
  const carried = new Set<string>()
  const stands = standstill(demo.control)
  let told: Told | undefined
  while (told === undefined || !hasTold(told)) {
    if (options.signal.aborted) return { is: 'stopped' }
    if (dead !== undefined) return { is: 'broken', text: `${dead} is gone` }
    if (await stands(told?.rows.length ?? 0)) return { is: 'broken', text: 'nothing happens any more' }
    const before = told?.rows.length
    told = await hearStory(demo.url, told)
    if (told !== undefined && told.rows.length !== before) options.onTold(told, told.view.lastAtMs)
    if (told !== undefined && told.view.ended === undefined) {
      await approveAsOperator(demo.url, told)
      if (openWorkOrderOf(told.view) !== undefined) await carryAnswers(demo.url, demo.control, told, carried)
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal: options.signal }).catch(() => {})
  }
  return { is: 'ended', told, summary: await sumUp(demo, told, startMs) }
}

/** True when for long neither the journal nor the world has moved. The world is asked only while the journal stands. */
function standstill(control: string): (rowCount: number) => Promise<boolean> {
  let last = { rowCount: -1, worldMs: undefined as number | undefined, atMs: performance.now() }
  return async (rowCount) => {
    const passedMs = performance.now() - last.atMs
    if (rowCount === last.rowCount && passedMs < STANDSTILL_LIMIT_MS) return false
    const worldMs = rowCount === last.rowCount ? await worldTime(control) : last.worldMs
    if (rowCount === last.rowCount && worldMs === last.worldMs) return true
    last = { rowCount, worldMs, atMs: performance.now() }
    return false
  }
}

/** The last notice goes out after the last word of the story. */
const hasTold = ({ rows }: Told) => {
  const ended = rows.findIndex(({ event }) => event.kind === 'maintenance-ended')
  return ended >= 0 && rows.slice(ended).some(({ event }) => event.kind === 'did' && event.act.kind === 'notify')
}

/** Beside each customer's page; what could not be had is not in the list. */
async function keepEvidence({ url, stateDir }: Demo, { id, rows }: Told) {
  const evidence: string[] = []
  for (const { customer, path } of reportsIn(rows)) {
    const bundle = await readEvidence(url, id, customer)
    if (bundle === undefined) continue
    const beside = path.replace(/\.html$/, '.evidence.json')
    writeFileSync(beside, `${canonicalJson(bundle)}\n`)
    evidence.push(beside)
  }
  const published = await readRoots(url)
  const roots = published === undefined ? null : join(stateDir, 'reports', 'roots.json')
  if (roots !== null) writeFileSync(roots, `${canonicalJson(published)}\n`)
  return { evidence, roots }
}

async function sumUp(demo: Demo, told: Told, startMs: number): Promise<DemoSummary> {
  const truth = await readTruth(demo.control)
  const summary = summarize({
    rows: told.rows,
    resumed: demo.resumed,
    brokenPromises: truth?.brokenPromises ?? ['the lab did not answer'],
    startMs,
    // Since this process began: what a person waited for, the start of everything included.
    wallMs: Math.round(performance.now()),
    simulated: true,
    ...(await keepEvidence(demo, told)),
    ...(demo.isReal ? { real: await readRealFigures(demo.control) } : {}),
    ...(demo.isReal ? await readRealGuests(demo.control) : {}),
  })
  writeFileSync(
    join(demo.stateDir, 'journal.json'),
    JSON.stringify({ format: 'coulisse/journal@1', simulated: true, rows: told.rows }),
  )
  writeFileSync(join(demo.stateDir, 'summary.json'), JSON.stringify(summary, null, 2))
  markFinished(demo.stateDir)
  return summary
}
