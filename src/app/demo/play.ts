/** Plays the demo's story to its end: breaks the fan, lets the people act, follows the journal, sums up. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Demo, markFinished } from './launch.ts'
import { approveAsOperator, breakFan, carryAnswers, hearStory, readTruth, type Told } from './people.ts'
import { readRealFigures } from './real.ts'
import { type DemoSummary, summarize } from './summary.ts'

export type PlayedDemo =
  | { readonly is: 'ended'; readonly summary: DemoSummary; readonly told: Told }
  /** Ctrl-C. */
  | { readonly is: 'stopped' }
  /** The lab or the control plane died. */
  | { readonly is: 'broken'; readonly text: string }

export const NODE_TO_REPAIR = 'pve3'
const STORY = { dropoutsPerDay: 12, pullsCords: true }
/**
 * Where time cannot jump: a dropout every eight minutes, or the evidence would take an hour. The cords stay in: ipmitool needs
 * 4 s of real time to find a dark BMC dark, at every look.
 */
const REAL_STORY = { dropoutsPerDay: 180, pullsCords: false }
const LOOK_EVERY_MS = 100

export async function playDemo(
  demo: Demo,
  options: { readonly signal: AbortSignal; readonly onTold: (told: Told, nowMs: number) => void },
): Promise<PlayedDemo> {
  const beganMs = performance.now()
  let dead: string | undefined
  demo.broken.then((name) => {
    dead = name
  })
  await breakFan(demo.control, { node: NODE_TO_REPAIR, ...(demo.isReal ? REAL_STORY : STORY) })
  const carried = new Set<string>()
  let told: Told | undefined
  while (told?.view.ended === undefined || !hasTold(told)) {
    if (options.signal.aborted) return { is: 'stopped' }
    if (dead !== undefined) return { is: 'broken', text: `the ${dead} is gone` }
    const before = told?.rows.length
    told = await hearStory(demo.url, told)
    if (told !== undefined && told.rows.length !== before) options.onTold(told, told.view.lastAtMs)
    if (told !== undefined) await approveAsOperator(demo.url, told)
    if (told !== undefined && told.view.ended === undefined) await carryAnswers(demo.url, demo.control, told, carried)
    await sleep(LOOK_EVERY_MS)
  }
  return { is: 'ended', told, summary: await sumUp(demo, told, performance.now() - beganMs) }
}

/** The last notice goes out after the last word of the story. */
const hasTold = ({ rows }: Told) => {
  const ended = rows.findIndex(({ event }) => event.kind === 'maintenance-ended')
  return rows.slice(ended).some(({ event }) => event.kind === 'did' && event.act.kind === 'notify')
}

async function sumUp(demo: Demo, told: Told, wallMs: number): Promise<DemoSummary> {
  const truth = await readTruth(demo.control)
  const summary = summarize({
    rows: told.rows,
    resumed: demo.resumed,
    brokenPromises: truth?.brokenPromises ?? ['the lab did not answer'],
    wallMs: Math.round(wallMs),
    simulated: true,
    ...(demo.isReal ? { real: await readRealFigures(demo.control) } : {}),
  })
  writeFileSync(
    join(demo.stateDir, 'journal.json'),
    JSON.stringify({ format: 'coulisse/journal@1', simulated: true, rows: told.rows }),
  )
  writeFileSync(join(demo.stateDir, 'summary.json'), JSON.stringify(summary, null, 2))
  markFinished(demo.stateDir)
  return summary
}
