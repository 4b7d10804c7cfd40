/**
 * Trials of the whole saga in memory: the program dies at a moment, does a step twice, or is refused a step, once or for ever.
 * A trial is named by night, kind and moment, and plays the same each time.
 */
import { DriverError } from '#domain/driver-error'
import { drawAt } from '#domain/random'
import { SimulatedCrash } from '#lab/engine/memory-engine'
import { createWorld } from '#lab/world/create'
import type { World } from '#lab/world/state'
import { type NightOptions, type NightResult, playNight } from '../night/play.ts'
import { brokenIn, endStateOf } from './end-state.ts'
import { type SagaNight, sagaNights } from './saga-nights.ts'

export const TRIAL_KINDS = [
  /** The control plane dies when this row of the journal was written. */
  'cut-row',
  /** It dies at this await. */
  'cut-await',
  /** This act runs twice, and the first or the second answer counts; 0: every one of them. */
  'twice-keep-first',
  'twice-keep-second',
  /** This act is refused, before anything happened or after all of it did. */
  'once-before',
  'once-after',
  /** All acts of this kind. */
  'ever-before',
  'ever-after',
] as const

export type TrialKind = (typeof TRIAL_KINDS)[number]

const SEED = 1

export type SagaTrial = { readonly night: string; readonly kind: TrialKind; readonly at: number }

export type SagaVerdict = {
  readonly trial: SagaTrial
  /** What stood at the moment: a row, an await, a step. */
  readonly where: string
  readonly ending: string
  /** What was broken, in words; empty: nothing. */
  readonly broken: readonly string[]
}

export const nameOfTrial = ({ night, kind, at }: SagaTrial) => `${night}/${kind}/${at}`

/** undefined: it names no trial of ours. */
export function trialOfName(name: string): SagaTrial | undefined {
  const [night = '', kind = '', at = ''] = name.split('/')
  const isKnown = sagaNights().some((one) => one.name === night) && TRIAL_KINDS.some((one) => one === kind)
  return isKnown && /^\d+$/.test(at) ? { night, kind: kind as TrialKind, at: Number(at) } : undefined
}

/** The night without any trial: how it ends, and what there is to be tried on it. */
export type Undisturbed = {
  readonly night: SagaNight
  readonly end: ReturnType<typeof endStateOf>
  readonly before: ReturnType<typeof standingOf>
  readonly rows: readonly string[]
  readonly awaitCount: number
  /** Every act in its order. */
  readonly acts: readonly string[]
  /** The kinds of acts that may fail for ever. */
  readonly kinds: readonly string[]
}

export async function playUndisturbed(night: SagaNight): Promise<Undisturbed> {
  const acts: string[] = []
  let awaitCount = 0
  const result = await playNight({
    ...optionsOf(night),
    engine: {
      onBoundary: () => void awaitCount++,
      aroundAct: ({ step }, act) => {
        acts.push(step)
        return act()
      },
    },
  })
  const problems = brokenIn(result)
  if (problems.length > 0) throw new Error(`${night.name} alone breaks: ${problems.join('; ')}`)
  const rows = result.rows.map(({ event }) => JSON.stringify(event).slice(0, 100))
  // Notes are the journal's: without it nothing is done at all, and the story cannot say how it ended.
  const kinds = [...new Set(acts.map(kindOf))].filter((kind) => !kind.startsWith('note '))
  const before = standingOf(createWorld({ snapshot: night.snapshot, seed: SEED, startAtMs: 0 }))
  return { night, end: endStateOf(result), before, rows, awaitCount, acts, kinds }
}

const kindOf = (step: string) => step.replace(/\d+/g, '#')

const optionsOf = ({ snapshot, script }: SagaNight): NightOptions => ({ snapshot, script, seed: SEED })

/** Every trial that there is on a night. */
export function trialsOf({ night, rows, awaitCount, acts, kinds }: Undisturbed): readonly SagaTrial[] {
  const all = (kind: TrialKind, from: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({ night: night.name, kind, at: from + index }))
  return [
    ...all('cut-row', 1, rows.length),
    // The first three come before anybody has said a word.
    ...all('cut-await', 3, awaitCount - 3),
    ...all('twice-keep-first', 0, acts.length + 1),
    ...all('twice-keep-second', 0, acts.length + 1),
    ...all('once-before', 1, acts.length),
    ...all('once-after', 1, acts.length),
    ...all('ever-before', 1, kinds.length),
    ...all('ever-after', 1, kinds.length),
  ]
}

/** So many of them, drawn by a seed, of every kind at least one; all where there are fewer. */
export function sampleOf(trials: readonly SagaTrial[], options: { readonly count: number; readonly seed: number }) {
  const order = trials
    .map((trial) => ({ trial, draw: drawAt(options.seed, nameOfTrial(trial), 0) }))
    .sort((a, b) => a.draw - b.draw)
    .map(({ trial }) => trial)
  const first = TRIAL_KINDS.flatMap((kind) => order.find((trial) => trial.kind === kind) ?? [])
  return [...new Set([...first, ...order])].slice(0, Math.max(options.count, first.length))
}

/** Plays one trial. Never throws: a night that hangs or crashes is broken, and the verdict says so. */
export async function playTrial(calm: Undisturbed, trial: SagaTrial): Promise<SagaVerdict> {
  const seen = { where: '' }
  try {
    const result = await playNight({ ...optionsOf(calm.night), ...disturbance(calm, trial, seen) })
    return { trial, where: seen.where, ending: result.ending, broken: problemsOf(calm, trial, result) }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return { trial, where: seen.where, ending: 'none', broken: [`it never ends: ${text}`] }
  }
}

/** The whole log of one trial, for whoever wants to see what happened. */
export async function logOfTrial(calm: Undisturbed, trial: SagaTrial): Promise<readonly string[]> {
  return (await playNight({ ...optionsOf(calm.night), ...disturbance(calm, trial, { where: '' }) })).log
}

type Seen = { where: string }

function disturbance(calm: Undisturbed, { kind, at }: SagaTrial, seen: Seen): Partial<NightOptions> {
  switch (kind) {
    case 'cut-row':
      seen.where = `after row ${at}: ${calm.rows[at - 1]}`
      return { crashAfterRow: at }
    case 'cut-await':
      return { engine: { onBoundary: dieAt(at, seen) } }
    case 'twice-keep-first':
      return { engine: { aroundAct: onAct(at, seen, keepingFirst) } }
    case 'twice-keep-second':
      return { engine: { aroundAct: onAct(at, seen, keepingSecond) } }
    case 'once-before':
      return { engine: { aroundAct: onAct(at, seen, refusing) } }
    case 'once-after':
      return { engine: { aroundAct: onAct(at, seen, refusingAfter) } }
    case 'ever-before':
      return { engine: { aroundAct: onKind(calm.kinds[at - 1] ?? '', seen, refusing) } }
    case 'ever-after':
      return { engine: { aroundAct: onKind(calm.kinds[at - 1] ?? '', seen, refusingAfter) } }
  }
}

function dieAt(at: number, seen: Seen) {
  return (n: number, where: string) => {
    if (n !== at) return
    seen.where = `at await ${n}: ${where}`
    throw new SimulatedCrash(where)
  }
}

type How = <T>(act: () => Promise<T>, step: string) => Promise<T>
type AroundAct = NonNullable<NonNullable<NightOptions['engine']>['aroundAct']>

/** The n-th act of the night, counted from 1; 0: all of them. */
function onAct(at: number, seen: Seen, how: How): AroundAct {
  let count = 0
  if (at === 0) seen.where = 'every act'
  return ({ step }, act) => {
    count++
    if (at !== 0 && count !== at) return act()
    if (at !== 0) seen.where = `act ${at}: ${step}`
    return how(act, step)
  }
}

function onKind(kind: string, seen: Seen, how: How): AroundAct {
  seen.where = `every "${kind}"`
  return ({ step }, act) => (kindOf(step) === kind ? how(act, step) : act())
}

/** A first run whose answer was recorded all the same, as two processes at once would. */
async function keepingFirst<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } finally {
    await act().catch(() => undefined)
  }
}

/** A crash between effect and record. */
async function keepingSecond<T>(act: () => Promise<T>): Promise<T> {
  await act().catch(() => undefined)
  return act()
}

/** Of the journal, the only refusal that the outside makes is that it is away: whoever writes to it asks again. */
const refusal = (step: string) =>
  new DriverError('proxmox', step, { retry: step.startsWith('note ') ? 'later' : 'never', text: 'refused' })

async function refusing<T>(_act: () => Promise<T>, step: string): Promise<T> {
  throw refusal(step)
}

async function refusingAfter<T>(act: () => Promise<T>, step: string): Promise<T> {
  await act()
  throw refusal(step)
}

const ENDINGS: readonly string[] = ['done', 'undone', 'failed', 'stuck']

function problemsOf(calm: Undisturbed, { kind }: SagaTrial, result: NightResult): readonly string[] {
  const problems = [...brokenIn(result)]
  const last = result.rows.findLast(({ event }) => event.kind === 'maintenance-ended')?.event
  if (!ENDINGS.includes(result.ending)) problems.push(`it ended as "${result.ending}": ${result.log.at(-1)}`)
  if (result.ending === 'stuck' && last?.kind === 'maintenance-ended' && last.text === '')
    problems.push('it is stuck and does not say why')
  if (['undone', 'failed', 'done'].includes(result.ending))
    problems.push(...differences('left', calm.before, standingOf(result.lab.state)))
  // Who dies or repeats himself changes nothing; who is refused may end otherwise.
  if (kind.startsWith('cut') || kind.startsWith('twice'))
    problems.push(...differences('end', calm.end, endStateOf(result)))
  return problems
}

/** What must be as it was before the maintenance, when nothing is stuck. */
function standingOf({ nodes, guests, ceph }: World) {
  return {
    nodes: Object.values(nodes).map(
      ({ name, state, haMaintenance }) => `${name} ${state}, maintenance ${haMaintenance}`,
    ),
    guests: Object.values(guests).map(
      ({ spec, node, runsOn }) => `${spec.vmid} on ${node}, runs on ${runsOn.join(' and ')}`,
    ),
    ceph: ceph === 'none' ? [] : [ceph.flags, ceph.hostFlags, ceph.configKeys].map((part) => JSON.stringify(part)),
  }
}

function differences(what: string, wanted: object, found: object): readonly string[] {
  return Object.entries(wanted).flatMap(([part, value]) => {
    const now = JSON.stringify((found as Record<string, unknown>)[part])
    const before = JSON.stringify(value)
    return now === before ? [] : [`${what}: ${part} should be ${before}, is ${now}`]
  })
}
