/** Every guest back where it was when the maintenance began, by our own ledger, with every rule kept; paced as the drain was. */
import type { Blocker } from '#domain/blocker'
import type { ClusterObservation } from '#domain/cluster'
import { timeText } from '#domain/figures'
import type { Guest } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import type { ForecastModel, HomeMove, HomePlan } from '#domain/plan'
import { moveFacts, partnersOf } from '#drain/decide'
import type { MoveInput, MoveResult } from '#drain/move'
import { runMoves } from '#drain/steps'
import { checkHome } from '#plan/check-home'
import { measuredModel } from '#plan/steps'
import { type HomeInput, proposeWayHome } from '#plan/way-home'
import { brakeBlockers } from './conditions/quorum.ts'
import { observeAfterMoves, putRight } from './fresh-look.ts'
import { passGate } from './gate.ts'
import { notify } from './notify.ts'
import { attend, keepUp, look, note, pass, type Story } from './story.ts'

const ROUNDS_LIMIT = 60
const FAILED_PAUSE_MS = 15_000
/** HA brings back by itself what it moved, when maintenance mode ends: within one cycle of manager and LRM. */
const LEAVE_TO_HA_MS = 60_000
/** A guest that failed so often in a row waits some minutes at a gate, and after so many gates it stays where it runs. */
const TRIES_IN_A_ROW = 3
const GATES_LIMIT = 3
const TRY_AGAIN_AFTER_MS = 10 * 60_000
/** A migration or a backup holds a guest's lock for a while. */
const LOCKED_WAIT_MS = 20_000
const LOCKED_WAITS_LIMIT = 90

type Stays = readonly { readonly guest: Vmid; readonly text: string }[]

/** How often each guest failed to come home, in a row, and why. */
type Failures = Record<string, { readonly count: number; readonly text: string; readonly final: boolean }>

/** Resolves with those who could not come home, each said in the journal with its reason. */
export async function bringHome(story: Story, haHandedOver: boolean): Promise<readonly Vmid[]> {
  const beganMs = await story.saga.nowMs()
  let failures: Failures = {}
  let stays: Stays = []
  let gates = 0
  let waits = 0
  for (let round = 0; round < ROUNDS_LIMIT; round++) {
    const leaveToHaMs = haHandedOver && round === 0 ? LEAVE_TO_HA_MS : 0
    await attend(story, 0)
    // A lease that could not be given back stands while everybody goes home.
    if (story.heard.lease !== undefined) await keepUp(story)
    await passGate(story, { stage: 'reintegrate', ask: () => brakes(story) })
    const next = await lookForNext(story, { beganMs, leaveToHaMs, failures })
    stays = [...next.stays, ...next.tired, ...next.inputs.map(({ move }) => outOfRounds(move))]
    if (next.inputs.length > 0) {
      const results = await runMoves(story, next.inputs, next.parallel)
      failures = remember(next.inputs, results, story.heard.arrived, failures)
      // A failed move is not asked for again in the same breath.
      if (results.some((result) => result.is === 'failed')) await pass(story, FAILED_PAUSE_MS)
    } else if (next.areLocked && waits++ < LOCKED_WAITS_LIMIT) {
      await pass(story, LOCKED_WAIT_MS)
    } else if (next.tired.length > next.final && gates++ < GATES_LIMIT && !hasBeenLifted(story)) {
      await waitForAnother(story, next.tired)
      failures = Object.fromEntries(Object.entries(failures).filter(([, { final }]) => final))
    } else {
      break
    }
  }
  for (const stay of stays) await note(story, { kind: 'guest-stays', guest: stay.guest, text: stay.text })
  return stays.map((stay) => stay.guest)
}

/** Resolves with those who ran when it began and do not run now, whoever stopped them: said, and the operator is told. */
export async function whoStoppedMeanwhile(story: Story): Promise<readonly Vmid[]> {
  const ran = story.heard.origins.filter(({ status }) => status === 'running').map(({ vmid }) => vmid)
  const stopped = await look(story, 'who ran and does not run now', async () => {
    const found: Vmid[] = []
    for (const guest of ran) {
      const where = await story.ports.hypervisor.locate(guest)
      if (where.is === 'missing' || (where.is === 'at' && where.status === 'stopped')) found.push(guest)
    }
    return found
  })
  if (stopped.length === 0) return []
  const text = `ran when it began, and not now: ${stopped.map((guest) => `guest ${guest}`).join(', ')}; Coulisse stops no guest: ask their owners`
  await note(story, { kind: 'said', text })
  await notify(story, { audience: 'operator', subject: `${story.input.node}: guests do not run any more`, text })
  return stopped
}

const outOfRounds = ({ guest, to }: HomeMove) => ({
  guest,
  text: `guest ${guest} is not home on ${to}, after ${ROUNDS_LIMIT} rounds`,
})

const hasBeenLifted = (story: Story) => story.heard.lifted.includes('guest-not-home')

function remember(
  inputs: readonly MoveInput[],
  results: readonly MoveResult[],
  arrived: Record<string, NodeName>,
  before: Failures,
): Failures {
  const after = { ...before }
  inputs.forEach(({ move: { guest } }, index) => {
    const result = results[index]
    if (result?.is === 'moved') arrived[guest] = result.at
    if (result?.is === 'failed') {
      // What cannot be copied within its budget is better off where it runs: nobody is paused for the sake of order.
      const final = result.overBudget === true
      after[guest] = { count: (before[guest]?.count ?? 0) + 1, text: result.text, final }
    } else delete after[guest]
  })
  return after
}

/** Tried again some minutes later; an approver may say that they stay where they are. */
async function waitForAnother(story: Story, tired: Stays): Promise<void> {
  const untilMs = (await story.saga.nowMs()) + TRY_AGAIN_AFTER_MS
  const lifts = `tried again at ${timeText(untilMs)} UTC, or an approver lifts it and it stays`
  const ask = async (): Promise<readonly Blocker[]> => {
    if ((await story.ports.clock.nowMs()) >= untilMs) return []
    return tired.map(({ guest, text }) => ({ kind: 'guest-not-home', guest, text, lifts }))
  }
  await passGate(story, { stage: 'reintegrate', ask, everyMs: 60_000 })
}

const brakes = async ({ ports, input }: Story) => brakeBlockers(await ports.hypervisor.observe(), input.node)

type Next = {
  readonly inputs: readonly MoveInput[]
  readonly parallel: number
  readonly stays: Stays
  /** Failed too often in a row. */
  readonly tired: Stays
  /** How many of those are not tried again at all. */
  readonly final: number
  /** Somebody else holds a guest's lock: it ends. */
  readonly areLocked: boolean
}

type Progress = {
  readonly beganMs: number
  readonly leaveToHaMs: number
  readonly failures: Failures
}

/** The next step of the way home, seen from where everybody is now. */
async function lookForNext(story: Story, now: Progress): Promise<Next> {
  const origins = story.heard.origins.filter((origin) => origin.status === 'running' || origin.kind === 'vm')
  const ledger = new Map(origins.map(({ vmid, node, home }) => [vmid, home ?? node]))
  return look(story, 'who is not home', async () => {
    const { hypervisor } = story.ports
    const listed = await observeAfterMoves(hypervisor, story.heard.arrived)
    const measured = { ...now, model: await measuredModel(story, listed) }
    const next = nextHome(story, listed, ledger, measured)
    if (next.inputs.length > 0 || next.tired.length > 0) return next
    // Home is what each guest's own node says: the list alone ends no maintenance.
    const proven = await putRight(hypervisor, listed, ({ vmid }) => ledger.has(vmid))
    return nextHome(story, proven, ledger, measured)
  })
}

function nextHome(
  story: Story,
  cluster: ClusterObservation,
  ledger: ReadonlyMap<Vmid, NodeName>,
  now: Progress & { readonly model: ForecastModel },
): Next {
  const { policy } = story.input
  const rules = { ...policy.plan, lifted: story.heard.lifted }
  const isAnyTired = (guest: Vmid) => isTiredOf(now.failures, guest)
  const origins = withPartners(cluster, ledger, isAnyTired)
  const home = provenHome({ cluster, origins, policy: rules, model: now.model, ...beforeOf(story) })
  const isFinal = ({ guest }: { guest: Vmid }) => now.failures[guest]?.final === true
  const tired = cluster.guests
    .filter(({ vmid, node }) => isAnyTired(vmid) && (ledger.get(vmid) ?? node) !== node)
    .map(({ vmid: guest }) => {
      const text = `guest ${guest} does not come home to ${ledger.get(guest)}: ${now.failures[guest]?.text ?? 'unknown'}`
      return { guest, text }
    })
  const open = home.moves.filter((move) => !isAnyTired(move.guest))
  const step = Math.min(...open.map((move) => move.step))
  const moves = open.filter((move) => move.step === step)
  return {
    inputs: inputsOf(story, cluster, moves, now),
    parallel: home.parallelMigrations,
    stays: home.stays,
    tired,
    final: tired.filter(isFinal).length,
    areLocked: home.stays.some(({ reason }) => reason === 'guest-locked') || cluster.guests.some(isLeavingHome(ledger)),
  }
}

const beforeOf = ({ heard: { before } }: Story) => (before === undefined ? {} : { before })

/** No step is walked that the independent checker does not let pass: then all stay where they are, and it is said. */
function provenHome(input: HomeInput): HomePlan {
  const home = proposeWayHome(input)
  const violations = checkHome({ ...input, home })
  if (violations.length === 0) return home
  const why = violations.map(({ text }) => text).join('; ')
  const stays = home.moves.map(({ guest, to }) => ({
    guest,
    reason: 'plan-violates-rules',
    text: `guest ${guest} does not go home to ${to}: the planner and its checker do not agree: ${why}`,
  }))
  return { ...home, moves: [], stays: [...home.stays, ...stays] }
}

/** HA goes on with moves that it had queued before maintenance mode was switched off: who is home may be on the way out. */
const isLeavingHome =
  (ledger: ReadonlyMap<Vmid, NodeName>) =>
  ({ vmid, node, lock, ha }: Guest): boolean =>
    ledger.get(vmid) === node && (lock === 'migrate' || ha.state === 'migrate' || ha.state === 'relocate')

const isTiredOf = (failures: Failures, guest: Vmid) =>
  failures[guest]?.final === true || (failures[guest]?.count ?? 0) >= TRIES_IN_A_ROW

/** Whoever must be with a guest that does not come home for now belongs where that one is. */
function withPartners(
  cluster: ClusterObservation,
  ledger: ReadonlyMap<Vmid, NodeName>,
  isTired: (guest: Vmid) => boolean,
): ReadonlyMap<Vmid, NodeName> {
  const origins = new Map(ledger)
  for (const guest of cluster.guests) {
    if (!ledger.has(guest.vmid) || !isTired(guest.vmid)) continue
    for (const one of [guest.vmid, ...partnersOf(cluster, guest.vmid)])
      if (ledger.has(one)) origins.set(one, guest.node)
  }
  return origins
}

function inputsOf(
  story: Story,
  cluster: ClusterObservation,
  moves: HomePlan['moves'],
  { beganMs, leaveToHaMs }: Progress,
): readonly MoveInput[] {
  const { policy } = story.input
  const facts = moveFacts(cluster, moves, { defaultBudgetMs: policy.defaultPauseBudgetMs })
  return moves.map(({ guest, from, to, mode, startsAtS, endsAtS }, index): MoveInput => {
    const known = facts[index]
    return {
      maintenance: story.input,
      move: { guest, from, to, mode, purpose: 'home' },
      pauseBudgetMs: known?.pauseBudgetMs ?? policy.defaultPauseBudgetMs,
      withLocalDisks: known?.withLocalDisks ?? false,
      leaveToHaMs: known?.haManaged === true ? leaveToHaMs : 0,
      haManaged: known?.haManaged ?? false,
      forecastMs: Math.round((endsAtS - startsAtS) * 1000),
      together: known?.together ?? [],
      ...(known === undefined ? {} : { expectedThere: known.expectedThere }),
      undoing: story.heard.undoing,
      drainBeganMs: beganMs,
      mayOverrun: false,
    }
  })
}
