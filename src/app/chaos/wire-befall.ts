/** Lets one stroke befall the control plane of a story over the wire, and measures what comes of it. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { drawAt } from '#domain/random'
import { requestsThrough, turn, type WireStage, type Worker } from './wire-stage.ts'
import type { Stroke } from './wire-strokes.ts'

export type Felt = {
  readonly stroke: Stroke
  /** How many processes were ended by -9. */
  readonly kills: number
  /** From the stroke to the first step that another worker began for a saga of the victim; undefined: it had none, or nobody saw. */
  readonly takeoverMs: Promise<number | undefined>
  readonly broken: readonly string[]
}

const READY_LIMIT_MS = 90_000
const TAKEOVER_LIMIT_MS = 40_000
const LOOK_EVERY_MS = 5
/** A worker that woke up is listened to for so long. */
const LISTEN_MS = 1_500

/** `n`: the how-manieth stroke of the story. */
export async function befall(
  stage: WireStage,
  stroke: Stroke,
  { seed, n }: { seed: number; n: number },
): Promise<Felt> {
  const { kind, forMs } = stroke
  const isAlone = kind === 'database-killed' || kind === 'database-away'
  if (!isAlone) await enoughWorkers(stage)
  stage.strokeCount++
  const quiet = { stroke, kills: 0, takeoverMs: Promise.resolve(undefined), broken: [] }
  switch (kind) {
    case 'kill':
      return { ...quiet, ...(await kill(stage, await victimOf(stage, drawAt(seed, 'wire/victim', n)))) }
    case 'kill-all':
      return { ...quiet, kills: await killAll(stage) }
    case 'freeze':
    case 'freeze-alone':
      await inTheMiddleOfAnAct(stage, stroke)
      return { ...quiet, ...(await freeze(stage, stroke, await victimOf(stage, 0))) }
    case 'stall':
      await stall(await victimOf(stage, 0), forMs)
      return quiet
    case 'database-killed':
      stage.killDatabase()
      await sleep(forMs)
      await stage.startDatabase()
      return quiet
    case 'database-away':
      await stage.stopDatabase()
      await sleep(forMs)
      await stage.startDatabase()
      return quiet
    case 'database-cut':
    case 'database-silent':
      await away(await victimOf(stage, 0), (worker) => [worker.database], stroke)
      return quiet
    case 'cluster-cut':
    case 'cluster-silent':
      await away(await victimOf(stage, 0), (worker) => worker.cluster, stroke)
      return quiet
  }
}

/** Two that are well: so that somebody stands by. */
async function enoughWorkers(stage: WireStage): Promise<void> {
  await poll('two workers that are well', READY_LIMIT_MS, async () => (stage.well.length >= 2 ? true : undefined))
}

/** Whoever runs the maintenance, else whoever runs a part of it; now and then the one that stands by. */
async function victimOf(stage: WireStage, draw: number): Promise<Worker> {
  const owned = (await stage.database.owned()) ?? []
  const root = owned.find(({ id }) => !id.includes('/')) ?? owned[0]
  const owner = stage.well.find(({ process }) => process.pid === root?.pid)
  const other = stage.well.find((worker) => worker !== owner) as Worker
  return owner === undefined || draw > STANDBY_FROM ? other : owner
}

const STANDBY_FROM = 0.85

async function kill(stage: WireStage, victim: Worker) {
  const ids = await ownedBy(stage, victim)
  const atMs = Date.now()
  victim.isAway = true
  await victim.process.kill()
  void stage.addWorker().catch(() => {})
  return { kills: 1, takeoverMs: takeover(stage, ids, atMs) }
}

async function killAll(stage: WireStage): Promise<number> {
  const { living } = stage
  await Promise.all(living.map(({ process }) => process.kill()))
  for (const _ of living) void stage.addWorker().catch(() => {})
  return living.length
}

const ownedBy = async (stage: WireStage, { process }: Worker) =>
  ((await stage.database.owned()) ?? []).flatMap(({ id, pid }) => (pid === process.pid ? [id] : []))

async function takeover(stage: WireStage, ids: readonly string[], sinceMs: number): Promise<number | undefined> {
  if (ids.length === 0) return undefined
  const { strokeCount } = stage
  const firstMs = await poll('the first step after it', TAKEOVER_LIMIT_MS, () =>
    stage.database.firstStepSince(ids, sinceMs),
  ).catch(() => undefined)
  // Where the next stroke fell before that step, the figure would be of both.
  return firstMs === undefined || stage.strokeCount !== strokeCount ? undefined : firstMs - sinceMs
}

/** The worst moment to stand still: after the look, before the act. */
async function inTheMiddleOfAnAct(stage: WireStage, { delayMs }: Stroke): Promise<void> {
  await poll('an act', ACT_LIMIT_MS, async () => ((await stage.database.isActing()) ? true : undefined), 1).catch(
    () => {},
  )
  await sleep(delayMs / DELAY_SHRINKS)
}

const ACT_LIMIT_MS = 4_000
const DELAY_SHRINKS = 10

/**
 * A whole look at the lab's cluster asks so many questions. The fence stands before each call of a port, not within it: whoever was
 * frozen inside sends the rest. What that did the world tells (started twice, promises), as for every stroke.
 */
const ONE_CALL_REQUESTS = 25

/** Stands still, with its network or without; wakes when nothing is its own any more, and is listened to. */
async function freeze(stage: WireStage, { kind, forMs }: Stroke, victim: Worker) {
  const ids = await ownedBy(stage, victim)
  const atMs = Date.now()
  victim.isAway = true
  victim.process.signal('SIGSTOP')
  if (kind === 'freeze') victim.database.turn('cut')
  const takeoverMs = takeover(stage, ids, atMs)
  const broken: string[] = []
  await poll('another to take over', TAKEOVER_LIMIT_MS, async () =>
    (await ownedBy(stage, victim)).length === 0 ? true : undefined,
  ).catch(() => void broken.push(`nobody took over from a worker that stood still for ${TAKEOVER_LIMIT_MS / 1000} s`))
  await takeoverMs
  await sleep(forMs)
  const before = requestsThrough(victim.cluster)
  victim.database.turn('open')
  victim.process.signal('SIGCONT')
  await sleep(LISTEN_MS)
  const count = requestsThrough(victim.cluster) - before
  // Only what it owns again by then may have made it speak; and it may end the one call in which it was frozen.
  if (count > ONE_CALL_REQUESTS && ids.length > 0 && (await ownedBy(stage, victim)).length === 0)
    broken.push(`a worker that was frozen and lost its sagas sent ${count} requests to the cluster after it woke`)
  victim.isAway = false
  return { takeoverMs, broken }
}

async function stall(victim: Worker, forMs: number): Promise<void> {
  victim.isAway = true
  victim.process.signal('SIGSTOP')
  await sleep(forMs)
  victim.process.signal('SIGCONT')
  victim.isAway = false
}

async function away(victim: Worker, gatesOf: (worker: Worker) => Worker['cluster'], { kind, forMs }: Stroke) {
  victim.isAway = true
  turn(gatesOf(victim), kind.endsWith('cut') ? 'cut' : 'silent')
  await sleep(forMs)
  turn(gatesOf(victim), 'open')
  victim.isAway = false
}

/** Looks until there is something; rejects after the limit. */
export async function poll<T>(
  what: string,
  limitMs: number,
  look: () => Promise<T | undefined>,
  everyMs = LOOK_EVERY_MS,
): Promise<T> {
  const beganMs = performance.now()
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() - beganMs > limitMs) throw new Error(`waited ${limitMs / 1000} s for ${what}`)
    await sleep(everyMs)
  }
}
