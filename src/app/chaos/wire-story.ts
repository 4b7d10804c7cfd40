/** One maintenance over the wire, under the strokes of its seed: real processes, PostgreSQL and drivers, and the lab's own truth. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JournalRow } from '#domain/event'
import { befall, type Felt, poll } from './wire-befall.ts'
import { chainFaults } from './wire-database.ts'
import { actAsPeople } from './wire-people.ts'
import { WireStage } from './wire-stage.ts'
import { mayTurnBack, type StoryPlan, type Stroke, storyPlan } from './wire-strokes.ts'

export type FeltStroke = Stroke & {
  readonly kills: number
  readonly takeoverMs: number | undefined
}

export type WireStory = {
  readonly seed: number
  readonly ending: string
  readonly text: string
  readonly rows: number
  readonly wallMs: number
  readonly strokes: readonly FeltStroke[]
  /** In words; empty: nothing. */
  readonly broken: readonly string[]
}

/** Real time, on a machine that does other things as well. */
const STORY_LIMIT_MS = 300_000
const ROW_EVERY_MS = 5
const END_LIMIT_MS = 60_000

export type StoryEars = { readonly onStroke: (seed: number, stroke: FeltStroke) => void }

/** Never rejects for what the control plane does: that is in `broken`. Ends all that it started. */
export async function playWireStory(seed: number, ears: StoryEars): Promise<WireStory> {
  const beganMs = performance.now()
  const stage = await WireStage.set(seed)
  try {
    await Promise.all([stage.addWorker(), stage.addWorker()])
    const story = await play(stage, storyPlan(seed), ears)
    return { seed, wallMs: Math.round(performance.now() - beganMs), ...story }
  } finally {
    await stage.strike()
  }
}

async function play(stage: WireStage, plan: StoryPlan, { onStroke }: StoryEars) {
  const over = new AbortController()
  const people = actAsPeople(stage, plan, over.signal)
  const strokes: FeltStroke[] = []
  const broken: string[] = []
  const felt: Promise<unknown>[] = []
  for (const [n, stroke] of plan.strokes.entries()) {
    if ((await reaches(stage, stroke)) === 'ended') break
    const one: Felt = await befall(stage, stroke, { seed: plan.seed, n })
    broken.push(...one.broken.map((text) => `${text} (row ${stroke.row}, stroke ${n + 1})`))
    felt.push(
      one.takeoverMs.then((takeoverMs) => {
        const told = { ...stroke, kills: one.kills, takeoverMs }
        strokes.push(told)
        onStroke(plan.seed, told)
      }),
    )
  }
  await untilEnded(stage).catch((error: Error) => broken.push(error.message))
  over.abort()
  await Promise.all([people, ...felt])
  return { strokes, ...(await judge(stage, plan, broken)) }
}

async function untilEnded(stage: WireStage): Promise<void> {
  await poll('the maintenance to end', STORY_LIMIT_MS, async () => ((await hasEnded(stage)) ? true : undefined), 50)
}

const hasEnded = async (stage: WireStage) => ((await stage.database.status())?.status ?? 'running') !== 'running'

async function reaches(stage: WireStage, { row, delayMs }: Stroke): Promise<'reached' | 'ended'> {
  const reached = await poll(
    `row ${row}`,
    STORY_LIMIT_MS,
    async () => {
      if ((await stage.database.rowCount()) >= row) return 'reached' as const
      return (await hasEnded(stage)) ? ('ended' as const) : undefined
    },
    ROW_EVERY_MS,
  ).catch(() => 'ended' as const)
  if (reached === 'reached') await sleep(delayMs)
  return (await hasEnded(stage)) ? 'ended' : reached
}

async function judge(stage: WireStage, plan: StoryPlan, brokenBefore: readonly string[]) {
  const broken = [...brokenBefore, ...stage.deaths]
  const status = await stage.database.status()
  const rows = status === undefined ? [] : await stage.database.journal(status.id).catch(() => [])
  if (status?.status !== 'ended') broken.push(`the saga is ${status?.status ?? 'not there'}: ${status?.text ?? ''}`)
  const last = rows.findLast(({ event }) => event.kind === 'maintenance-ended')?.event
  const { ending, text } = last?.kind === 'maintenance-ended' ? last : { ending: 'none', text: '' }
  const unfinished = await poll('all its parts to end', END_LIMIT_MS, async () =>
    (await stage.database.unfinished()).length === 0 ? [] : undefined,
  ).catch(() => stage.database.unfinished())
  if (unfinished.length > 0) broken.push(`still running: ${unfinished.join(', ')}`)
  broken.push(...chainFaults(rows), ...unansweredIntents(rows))
  const isExpected = ending === 'done' || (mayTurnBack(plan) && ENDINGS.includes(ending) && text !== '')
  if (!isExpected) broken.push(`it ended "${ending}": ${text}`)
  broken.push(...faultsOf(await truthOf(stage), ending === 'stuck'))
  return { ending, text, rows: rows.length, broken }
}

const ENDINGS: readonly string[] = ['done', 'undone', 'failed', 'stuck']

/** Whatever was intended was told of afterwards, however often somebody died in between. */
function unansweredIntents(rows: readonly JournalRow[]): readonly string[] {
  const intended = rows.filter(({ event }) => event.kind === 'intends').length
  const did = rows.filter(({ event }) => event.kind === 'did').length
  return did < intended ? [`${intended} acts were intended, and of ${did} the journal tells what became of them`] : []
}

type Truth = {
  readonly nodes: readonly { name: string; power: string; online: boolean; haMaintenance: boolean }[]
  readonly guests: readonly { vmid: number; node: string; home: string; runsOn: readonly string[]; status: string }[]
  readonly flags: readonly string[]
  readonly hostFlags: Readonly<Record<string, readonly string[]>>
  readonly leases: Readonly<Record<string, unknown>>
  readonly startedTwice: readonly number[]
  readonly brokenPromises: readonly { readonly promise: number; readonly text: string }[]
}

async function truthOf(stage: WireStage): Promise<Truth> {
  return (await (await fetch(`${stage.ready.control}/world`)).json()) as Truth
}

function faultsOf(truth: Truth, isStuck: boolean): readonly string[] {
  const faults = [
    ...truth.brokenPromises.map(({ promise, text }) => `promise ${promise}: ${text}`),
    ...truth.startedTwice.map((guest) => `guest ${guest} ran twice`),
  ]
  if (isStuck) return faults
  const flags = [...truth.flags, ...Object.values(truth.hostFlags).flat()]
  if (flags.length > 0) faults.push(`flags are left: ${flags.join(', ')}`)
  if (Object.keys(truth.leases).length > 0) faults.push(`leases are left: ${Object.keys(truth.leases).join(', ')}`)
  for (const { name, power, online, haMaintenance } of truth.nodes)
    if (power !== 'on' || !online || haMaintenance)
      faults.push(`${name} is left ${power}${haMaintenance ? ', in maintenance mode' : ''}`)
  for (const { vmid, node, home } of truth.guests) if (node !== home) faults.push(`guest ${vmid} is left on ${node}`)
  return faults
}
