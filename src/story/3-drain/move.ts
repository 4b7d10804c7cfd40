/** One guest moved to its real end: a child saga of short steps, so that pause, abort and the pause budget reach it. */
import type { Act, Outcome } from '#domain/act'
import { DriverError } from '#domain/driver-error'
import type { Event } from '#domain/event'
import type { NodeName, Vmid } from '#domain/ids'
import type { Json } from '#domain/json'
import type { MaintenanceInput } from '#domain/maintenance'
import type { Measured } from '#domain/measured'
import type { HomeMove, MovePurpose } from '#domain/plan'
import { renderEvent } from '#domain/render'
import type { Ports } from '#ports/all'
import type { MigrationHandle, MigrationProgress } from '#ports/hypervisor'
import type { Saga, SagaFunction } from '#ports/saga'
import { notify } from '../notify.ts'
import { perform } from '../perform.ts'
import { AbortAsked, attend, look, note, type Overheard, overhear, pass, type Story, tellStory } from '../story.ts'
import { isTargetFull } from './decide.ts'
import { nextLookInMs } from './pace.ts'

export const MOVE_SAGA = 'move'

export type MoveInput = {
  readonly maintenance: MaintenanceInput
  readonly move: HomeMove & { readonly purpose: MovePurpose | 'home' }
  readonly pauseBudgetMs: number
  readonly withLocalDisks: boolean
  /** HA moves it by itself in this time, because maintenance mode was switched; only then do we ask. 0: we ask at once. */
  readonly leaveToHaMs: number
  /** HA takes wishes without looking: whoever asks it looks first. */
  readonly haManaged: boolean
  /** By the plan; 0: nobody forecast it. */
  readonly forecastMs: number
  /** The beginning of the stage: a move since then belongs to it, whoever asked for it. */
  readonly drainBeganMs: number
  /** Partners who must be on the same node: a pause does not tear them apart. */
  readonly together: readonly Vmid[]
  /** All is being taken back: abort was said already, and is not heard again. */
  readonly undoing: boolean
  /** An approver lifted the pause budget by name: the switch is not prevented, and is told. */
  readonly mayOverrun: boolean
  /** When the look was taken that says that the target has room. */
  readonly lookedAtMs?: number
  /** By the same look, who may run on the target without surprise; absent: nobody looked. */
  readonly expectedThere?: readonly Vmid[]
}

export type MoveResult =
  | { readonly is: 'moved'; readonly at: NodeName; readonly measured: Measured }
  /** `overBudget`: we ended it ourselves, because the pause would have grown over the owner's budget. */
  | { readonly is: 'failed'; readonly text: string; readonly overBudget?: true }
  | { readonly is: 'not-begun' }

const FOLLOW_EVERY_MS = 2_000
const PROGRESS_EVERY_MS = 30_000
/** Two minutes of looks that nobody answers. */
const SILENCE_LIMIT = 60
/** The cluster's list is 10 to 20 s stale: a guest that has moved may still be shown at its source. */
const PROVE_LIMIT_MS = 40_000
/** A worker that was ended takes its lock off within this time. */
const UNLOCK_LIMIT_MS = 10_000

export function moveSaga(ports: Ports): SagaFunction<MoveInput & Json, MoveResult & Json> {
  return async (saga: Saga, input) => {
    const story = tellStory(saga, ports, input.maintenance, input.move.purpose === 'home' ? 'reintegrate' : 'drain')
    story.heard.undoing = input.undoing
    const result = await moveGuest(story, input)
    return result as MoveResult & Json
  }
}

async function moveGuest(story: Story, input: MoveInput): Promise<MoveResult> {
  let aborted = false
  try {
    await holdTogether(story, input)
  } catch (error) {
    if (!(error instanceof AbortAsked)) throw error
    aborted = true
  }
  if (aborted) return { is: 'not-begun' }
  if (input.leaveToHaMs > 0) await waitForHa(story, input)
  const full = await whyFull(story, input)
  if (full !== undefined) return concludeMove(story, input, { is: 'failed', text: full })
  const begun = await begin(story, input)
  if (begun.is === 'there') return concludeMove(story, input, outcomeThere(begun.measured), begun.at)
  if (begun.is === 'refused') return concludeMove(story, input, { is: 'failed', text: begun.text })
  return followToTheEnd(story, input, begun)
}

const outcomeThere = (measured: Measured | undefined): Outcome =>
  measured === undefined ? { is: 'already', measured: 'unmeasured' } : { is: 'done', measured }

/** While paused no move begins, but for one whose partner has left already: they belong on one node, pause or not. */
async function holdTogether(story: Story, input: MoveInput): Promise<void> {
  await attend(story, 0, 'watches')
  while (story.heard.paused && !(await isTorn(story, input))) await pass(story, FOLLOW_EVERY_MS, 'watches')
}

/** A look this old says nothing of a target's room: somebody else may have started a guest there. */
const LOOK_AGES_MS = 30_000
/** One question to the cluster's list serves the moves that begin within this time: each look is a call. */
export const LIST_SHARED_FOR_MS = 10_000

/** Undefined: there is room, or the look is young, or HA has begun by itself. */
async function whyFull(
  story: Story,
  { move, lookedAtMs, leaveToHaMs, expectedThere }: MoveInput,
): Promise<string | undefined> {
  const nowMs = await story.saga.nowMs()
  if (lookedAtMs === undefined || leaveToHaMs > 0 || move.mode === 'offline' || nowMs - lookedAtMs < LOOK_AGES_MS)
    return
  const { memoryHeadroomFraction } = story.input.policy.plan
  const { hypervisor } = story.ports
  const isFull = await look(story, `the room on ${move.to}`, async () => {
    // Nobody new by one cheap question: the plan had counted all who are there.
    const listed = expectedThere === undefined ? [] : await hypervisor.listedOn(move.to, LIST_SHARED_FOR_MS)
    if (expectedThere !== undefined && listed.every((guest) => expectedThere.includes(guest))) return false
    const cluster = await hypervisor.observe({ avoid: story.input.node, again: true })
    return isTargetFull(cluster, move, memoryHeadroomFraction)
  })
  return isFull ? `${move.to} has no room for it any more` : undefined
}

function isTorn(story: Story, { move, together }: MoveInput): Promise<boolean> {
  return look(story, `where the partners of guest ${move.guest} are`, async () => {
    for (const partner of together) {
      const where = await story.ports.hypervisor.locate(partner)
      if (where.is === 'at' && where.status === 'running' && where.node !== move.from) return true
    }
    return false
  })
}

const actOf = ({ move }: MoveInput): Act => ({
  kind: 'migrate',
  guest: move.guest,
  from: move.from,
  to: move.to,
  mode: move.mode,
  purpose: move.purpose,
})

/** Waits until HA has begun (or done) the move by itself; its own choice of target is followed, wherever it leads. */
async function waitForHa(story: Story, input: MoveInput): Promise<void> {
  const { move, leaveToHaMs } = input
  const sinceMs = await story.saga.nowMs()
  for (let nowMs = sinceMs; nowMs < sinceMs + leaveToHaMs; nowMs = await story.saga.nowMs()) {
    const begun = await look(story, `guest ${move.guest}, left to HA`, async () => {
      const query = { guest: move.guest, from: move.from, sinceMs: belongsSinceMs(input, sinceMs) }
      // Whoever left since the drain began did so by a task of its source.
      return (await story.ports.hypervisor.findMigration(query)) !== undefined
    })
    if (begun || (await overhear(story, (await story.saga.nowMs()) + FOLLOW_EVERY_MS)) !== 'go-on') return
  }
}

type Begun =
  /** `measured`: by the task of whoever moved it; absent: no task tells of the move. */
  | { readonly is: 'there'; readonly at: NodeName; readonly measured?: Measured }
  /** `isUnderWay`: begun or seen by this very step, so there is nothing new to see yet. */
  | { readonly is: 'following'; readonly handle: MigrationHandle; readonly isUnderWay?: true }
  | { readonly is: 'refused'; readonly text: string }

/**
 * The step may run twice, and the second time it finds what the first began. The first time nothing of ours can be under way: the
 * journal has shown this intent to nobody before. Then Proxmox looks by itself, under the guest's lock, in the same call that acts.
 */
async function begin(story: Story, input: MoveInput): Promise<Begun> {
  const { hypervisor, journal } = story.ports
  const { guest, from, to, mode } = input.move
  const { withLocalDisks } = input
  const act = async (): Promise<Begun> => ({
    is: 'following',
    handle: await hypervisor.migrate({ guest, from, to, mode, withLocalDisks }),
    isUnderWay: true,
  })
  const step = async (key: string): Promise<Json> => {
    const event = { kind: 'intends', act: actOf(input) } as const
    const { row, isNew } = await journal.append({ maintenance: story.input.id, key: `${key}/intends`, event })
    const isFirst = isNew && !input.haManaged && input.leaveToHaMs === 0
    const refusal = isFirst ? await refusalOf(act) : undefined
    if (refusal !== undefined && !(refusal instanceof DriverError)) return refusal
    const found = await lookBeforeMoving(story, input, row.atMs)
    if (found !== 'may-move') return found
    if (refusal !== undefined) throw refusal
    return act()
  }
  try {
    return (await story.saga.step(`begin to move guest ${guest}`, step)) as unknown as Begun
  } catch (error) {
    // After a lost answer the next round looks for the task before it asks again.
    if (error instanceof DriverError) return { is: 'refused', text: error.message }
    throw error
  }
}

/** A refusal, or an answer that was lost, is no end: what stands in the way, or what was begun, is looked for. */
async function refusalOf(act: () => Promise<Begun>): Promise<Begun | DriverError> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof DriverError) return error
    throw error
  }
}

async function lookBeforeMoving(story: Story, input: MoveInput, intendedAtMs: number): Promise<Begun | 'may-move'> {
  const { hypervisor } = story.ports
  const { guest, from } = input.move
  const found = await hypervisor.findMigration({ guest, from, sinceMs: belongsSinceMs(input, intendedAtMs) })
  const progress = found === undefined ? undefined : await hypervisor.follow(found)
  if (found !== undefined && progress?.is === 'running') {
    return { is: 'following', handle: found, isUnderWay: true }
  }
  // One that failed is history; one that brought the guest away is ours to follow: it knows how long the pause was.
  const hasArrived = progress?.is === 'ended' && progress.outcome === 'ok'
  const target = hasArrived && progress.target !== 'unknown' ? progress.target : from
  const where = await hypervisor.locate(guest, target)
  if (where.is === 'missing') return { is: 'refused', text: `guest ${guest} is not in the cluster any more` }
  if (where.is === 'unknown') return { is: 'refused', text: `nobody knows where guest ${guest} is: ${where.reason}` }
  if (where.node !== from) {
    return { is: 'there', at: where.node, ...(hasArrived ? { measured: progress.blackout } : {}) }
  }
  if (where.lock !== undefined) return { is: 'refused', text: `guest ${guest} is locked (${where.lock})` }
  return 'may-move'
}

/** HA may have moved it before we asked, or while we were paused. A clock a little behind ours would hide the very task that we began. */
const belongsSinceMs = ({ drainBeganMs }: MoveInput, nowMs: number) => Math.min(drainBeganMs, nowMs) - PROVE_LIMIT_MS

type Following = Extract<Begun, { readonly is: 'following' }>

async function followToTheEnd(story: Story, input: MoveInput, { handle, isUnderWay }: Following): Promise<MoveResult> {
  const beganMs = await story.saga.nowMs()
  let shownMs = beganMs
  let cancelled: CancelReason | undefined
  let silentCount = 0
  let allowedMs = 0
  const firstMs = isUnderWay === true ? beganMs + lookAgainInMs(input, JUST_BEGUN, 0) : beganMs
  let heard: Overheard = await overhear(story, firstMs)
  for (;;) {
    const progress = await look(story, `the move of guest ${input.move.guest}`, () => follow(story, handle))
    if (progress !== null && progress.is === 'ended') return endOf(story, input, progress, cancelled)
    silentCount = progress === null ? silentCount + 1 : 0
    if (silentCount > SILENCE_LIMIT) return endOf(story, input, NOBODY_ANSWERED, cancelled)
    const nowMs = await story.saga.nowMs()
    if (progress !== null && nowMs - shownMs >= PROGRESS_EVERY_MS && progress.totalBytes !== 'unknown') {
      shownMs = nowMs
      const transferredBytes = progress.transferredBytes === 'unknown' ? 0 : progress.transferredBytes
      const { guest } = input.move
      await note(story, { kind: 'guest-copying', guest, transferredBytes, totalBytes: progress.totalBytes })
    }
    if (progress !== null) allowedMs = await noteAllowedPause(story, input, progress, allowedMs)
    // Its partners have left already: a pause would tear them apart.
    if (heard === 'pause' && input.together.length > 0 && (await isTorn(story, input))) heard = 'go-on'
    const reason = reasonToCancel(story, { allowedMs, heard, forMs: nowMs - beganMs, mayOverrun: input.mayOverrun })
    if (reason !== undefined && cancelled === undefined) cancelled = await cancel(story, input, handle, reason)
    const said = await overhear(story, nowMs + lookAgainInMs(input, progress, nowMs - beganMs))
    if (said !== 'go-on') heard = said
  }
}

const JUST_BEGUN: MigrationProgress = {
  is: 'running',
  transferredBytes: 'unknown',
  totalBytes: 'unknown',
  allowedPauseMs: 'unknown',
}

/** A node that did not answer, and a wish that HA has only queued, tell nothing by which to wait. */
function lookAgainInMs(input: MoveInput, progress: MigrationProgress | null, forMs: number): number {
  if (progress?.is !== 'running' || (input.haManaged && progress.totalBytes === 'unknown')) return FOLLOW_EVERY_MS
  const { pauseBudgetMs, forecastMs, move } = input
  return nextLookInMs({ forMs, forecastMs, isLive: move.mode === 'live', pauseBudgetMs, progress })
}

/** A node that answers nothing for a moment is no end of the move: it is asked again, SILENCE_LIMIT times. */
async function follow(story: Story, handle: MigrationHandle): Promise<MigrationProgress | null> {
  try {
    return await story.ports.hypervisor.follow(handle)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return null
  }
}

const NOBODY_ANSWERED = { is: 'ended', outcome: 'unknown', text: 'nobody answered for two minutes' } as const

type CancelReason = Extract<Act, { kind: 'cancel-migration' }>['reason']

function reasonToCancel(
  story: Story,
  now: {
    readonly allowedMs: number
    readonly heard: Overheard
    readonly forMs: number
    readonly mayOverrun: boolean
  },
): CancelReason | undefined {
  if (now.allowedMs > 0 && story.input.policy.cancelOverBudget && !now.mayOverrun) return 'over-budget'
  if (now.heard === 'pause') return 'paused'
  if (now.heard === 'abort') return 'aborted'
  return now.forMs > story.input.policy.migrationLimitS * 1000 ? 'too-long' : undefined
}

/** Proxmox doubles the pause it allows itself: above the owner's budget the copy is ended while the guest still runs. */
async function noteAllowedPause(
  story: Story,
  input: MoveInput,
  progress: MigrationProgress & { is: 'running' },
  knownMs: number,
): Promise<number> {
  const { allowedPauseMs: allowedMs } = progress
  if (allowedMs === 'unknown' || allowedMs <= input.pauseBudgetMs || allowedMs <= knownMs) return knownMs
  const { guest } = input.move
  await note(story, { kind: 'pause-allowed-grew', guest, allowedMs, budgetMs: input.pauseBudgetMs })
  return allowedMs
}

/** Resolves with the reason when it was ended, or could not be asked for: a wish that HA has only queued is asked for again. */
async function cancel(
  story: Story,
  input: MoveInput,
  handle: MigrationHandle,
  reason: CancelReason,
): Promise<CancelReason | undefined> {
  const act: Act = { kind: 'cancel-migration', guest: input.move.guest, reason }
  const run = async (): Promise<Outcome> => {
    await story.ports.hypervisor.cancelMigration(handle)
    return { is: 'done' }
  }
  const outcome = await perform(story, { act, run })
  return outcome.is === 'failed' ? undefined : reason
}

async function endOf(
  story: Story,
  input: MoveInput,
  progress: MigrationProgress & { is: 'ended' },
  cancelled: CancelReason | undefined,
): Promise<MoveResult> {
  const proven = await provenAt(story, input, expectedAfter(input, progress))
  const { guest, from, mode } = input.move
  if (proven === undefined) {
    const text = `guest ${guest} was to leave ${from}, and nobody can say where it is`
    return concludeMove(story, input, { is: 'failed', text })
  }
  const { at, runs } = proven
  if (at === from) {
    const why = progress.outcome === 'ok' ? 'the task said OK, and the guest is still there' : progress.text
    const where = runs || mode === 'offline' ? `it runs on ${from} as before` : halfDown(from)
    const text =
      cancelled === undefined
        ? runs || mode === 'offline'
          ? why
          : `${why}; ${where}`
        : `${CANCELLED[cancelled]}; ${where}`
    const result = await concludeMove(story, input, { is: 'failed', text })
    return cancelled === 'over-budget' && result.is === 'failed' ? { ...result, overBudget: true } : result
  }
  // Only the task's own log knows the pause; a worker that died took it along.
  const measured: Measured = progress.outcome === 'ok' ? progress.blackout : 'unmeasured'
  const stopped = runs || mode === 'offline' ? {} : ({ stopped: true } as const)
  return concludeMove(story, input, { is: 'done', measured, ...stopped }, at)
}

/** A container that does not stop in time is not killed: it may be half down, and nobody starts it by itself. */
const halfDown = (node: NodeName) => `it does not run on ${node} any more: its owner looks at it and starts it`

const CANCELLED = {
  'over-budget': 'its copy did not converge within the pause budget',
  paused: 'ended because of the pause',
  'too-long': 'it took too long',
  aborted: 'ended because of the abort',
} as const

type Proven = { readonly at: NodeName; readonly runs: boolean }
type Expected = { readonly at: NodeName; readonly mayHaveGone: boolean }

/** What the task says of its end, before anybody has looked. */
function expectedAfter({ move }: MoveInput, progress: MigrationProgress & { is: 'ended' }): Expected {
  if (progress.outcome === 'ok') {
    return { at: progress.target === 'unknown' ? move.to : progress.target, mayHaveGone: true }
  }
  return progress.outcome === 'unknown' ? { at: move.to, mayHaveGone: true } : { at: move.from, mayHaveGone: false }
}

/** Where the guest is by its node's own word, asked until the lists have caught up. */
async function provenAt(story: Story, { move }: MoveInput, expected: Expected): Promise<Proven | undefined> {
  const untilMs = (await story.saga.nowMs()) + (expected.mayHaveGone ? PROVE_LIMIT_MS : UNLOCK_LIMIT_MS)
  let proven: Proven | undefined
  for (;;) {
    const seen = await look(story, `guest ${move.guest} after its move`, async () => {
      const where = await story.ports.hypervisor.locate(move.guest, expected.at)
      return where.is === 'at' && where.lock !== 'migrate' ? { at: where.node, runs: where.status === 'running' } : null
    })
    proven = seen ?? proven
    const nowMs = await story.saga.nowMs()
    const isThere = seen !== null && (seen.at !== move.from || !expected.mayHaveGone)
    if (isThere || nowMs >= untilMs) return proven
    await story.saga.sleepUntil(nowMs + FOLLOW_EVERY_MS)
  }
}

/** Journals how a move ended, and tells of a pause over budget. */
export async function concludeMove(
  story: Story,
  input: MoveInput,
  outcome: Outcome,
  at?: NodeName,
): Promise<MoveResult> {
  const { move, pauseBudgetMs } = input
  const act = actOf(input)
  const measured = outcome.is === 'failed' ? 'unmeasured' : (outcome.measured ?? 'unmeasured')
  const overBudget = measured !== 'unmeasured' && measured.blackoutMs > pauseBudgetMs && move.mode === 'live'
  const isElsewhere = at !== undefined && at !== move.to
  await note(
    story,
    { kind: 'did', act, outcome: isElsewhere && outcome.is !== 'failed' ? { ...outcome, at } : outcome },
    ...(isElsewhere ? [elsewhere(move.guest, move.from, at)] : []),
    ...(overBudget ? [over(move.guest, measured.blackoutMs, pauseBudgetMs)] : []),
  )
  // A pause that the owner had not accepted is told to somebody at once, whoever allowed it.
  if (overBudget) await tellOverBudget(story, move.guest, over(move.guest, measured.blackoutMs, pauseBudgetMs))
  if (outcome.is === 'failed' || at === undefined) {
    return { is: 'failed', text: outcome.is === 'failed' ? outcome.text : 'nobody saw it arrive' }
  }
  return { is: 'moved', at, measured }
}

function tellOverBudget(story: Story, guest: Vmid, event: Event): Promise<void> {
  const subject = `${story.input.node}: guest ${guest} was paused over its budget`
  return notify(story, { audience: 'operator', subject, text: renderEvent(event) })
}

const elsewhere = (guest: Vmid, from: NodeName, to: NodeName) =>
  ({ kind: 'guest-moved-by-others', guest, from, to }) as const
const over = (guest: Vmid, blackoutMs: number, budgetMs: number) =>
  ({ kind: 'pause-over-budget', guest, blackoutMs, budgetMs }) as const
