/** Stage 3: every running guest moved off the node, followed to its real end, and the node proven empty by two looks. */
import { type Blocker, withoutLifted } from '#domain/blocker'
import { type ClusterObservation, guestsOn, nodeOf } from '#domain/cluster'
import { timeText } from '#domain/figures'
import type { Guest, Rule } from '#domain/guest'
import { type NodeName, vmid } from '#domain/ids'
import type { Json } from '#domain/json'
import type { Move, Plan } from '#domain/plan'
import { checkPlan } from '#plan/check-plan'
import { measuredModel, originOf, proposeRevision, violationBlockers } from '#plan/steps'
import { brakeBlockers, busyBlockers } from '../conditions/quorum.ts'
import { observeAfterMoves } from '../fresh-look.ts'
import { passGate } from '../gate.ts'
import { setMaintenanceMode } from '../maintenance-mode.ts'
import { attend, holdWhilePaused, look, note, pass, type Story, StoryStopped } from '../story.ts'
import {
  type MoveFacts,
  moveFacts,
  type Next,
  nextBatch,
  notEmptyBlockers,
  partnersOf,
  type Trouble,
  type Troubles,
} from './decide.ts'
import { LIST_SHARED_FOR_MS, MOVE_SAGA, type MoveInput, type MoveResult } from './move.ts'
import { tellWhoLeft, unheardOf } from './who-left.ts'

const ROUNDS_LIMIT = 60
const REVISIONS_LIMIT = 10
/** A node in maintenance mode hands its HA guests over within one cycle of its LRM (10 s) and the manager (10 s). */
const LEAVE_TO_HA_MS = 60_000

/** A guest that would go nowhere is tried again after this time: what it writes by day it may not write at night. */
const TRY_AGAIN_AFTER_MS = 20 * 60_000

/** Resolves when the node is proven empty. Nothing here undoes the moves: the homecoming is registered by the caller. */
export async function drainNode(story: Story, approved: Plan, haGuestsOnNode: boolean): Promise<void> {
  await holdWhilePaused(story)
  const beganMs = await story.saga.nowMs()
  const upkeep = story.heard.upkeep
  story.heard.upkeep = async () => {
    await upkeep()
    await tellWhoLeft(story, beganMs)
  }
  try {
    // HA begins at once, whoever is paused then.
    if (haGuestsOnNode) await setMaintenanceMode(story, true)
    await emptyNode(story, approved, beganMs)
  } finally {
    story.heard.upkeep = upkeep
  }
}

async function emptyNode(story: Story, approved: Plan, beganMs: number): Promise<void> {
  let plan = approved
  let troubles: Troubles = {}
  let revisions = 0
  let ahead: Ahead | undefined
  const untilMs = beganMs + story.input.policy.drainLimitS * 1000
  for (let round = 0; round < ROUNDS_LIMIT; round++) {
    await attend(story, 0)
    if ((await story.saga.nowMs()) > untilMs) break
    const now = (await asForeseen(story, plan, ahead)) ?? (await lookForNext(story, plan, troubles))
    ahead = undefined
    if (withoutLifted(now.brakes, story.heard.lifted).length > 0) {
      await passGate(story, { stage: 'drain', ask: () => brakes(story) })
      continue
    }
    // HA took somebody before his step had come: what that cost him is told all the same.
    if (now.hasLeft) await tellWhoLeft(story, beganMs)
    switch (now.next.is) {
      case 'proof':
        if (await proveEmpty(story)) return
        break
      case 'batch': {
        const moved = await moveBatch(story, plan, now, { beganMs, troubles })
        troubles = moved.troubles
        if (moved.isAsPlanned) ahead = now.ahead
        // All went as planned and nothing is left to move: the proof is the next look.
        if (now.next.isLast && moved.isAsPlanned && (await proveEmpty(story))) return
        break
      }
      case 'wait':
        await waitForAnotherTime(story, now.next.blockers)
        troubles = {}
        break
      case 'revise':
        if (++revisions > REVISIONS_LIMIT) throw new StoryStopped(`the plan was revised ${REVISIONS_LIMIT} times`)
        if (now.next.appeared !== undefined) await welcome(story, now.next.appeared)
        plan = await revise(story, plan, now.next.why, troubles)
        troubles = forgetTries(troubles)
    }
  }
  throw new StoryStopped(`${story.input.node} could not be emptied: too many rounds, or out of time`)
}

/** It is moved as the others are, comes home with them, and its customer is told with theirs. */
async function welcome(story: Story, guest: Guest): Promise<void> {
  const { node } = story.input
  const isKnown = story.heard.origins.some((origin) => origin.vmid === guest.vmid)
  const origins = isKnown ? story.heard.origins : [...story.heard.origins, originOf(guest)]
  const { before } = story.heard
  const ledger = before === undefined ? { origins } : { origins, before }
  await note(story, { kind: 'guest-appeared', guest: guest.vmid, node }, { kind: 'origins-recorded', ...ledger })
  story.heard.origins = origins
}

/** Closed until the guests are gone by themselves, until it is time to try again, or until a person allows the pause. */
async function waitForAnotherTime(story: Story, blockers: readonly Blocker[]): Promise<void> {
  await reunite(story, blockers)
  const untilMs = (await story.saga.nowMs()) + TRY_AGAIN_AFTER_MS
  const again = `; tried again at ${timeText(untilMs)} UTC`
  const ask = async (): Promise<readonly Blocker[]> => {
    if ((await story.ports.clock.nowMs()) >= untilMs) return []
    const left = await story.ports.hypervisor.runningOn(story.input.node)
    return blockers
      .filter(({ guest }) => guest !== undefined && left.includes(guest))
      .map((one) => ({ ...one, lifts: one.lifts + again }))
  }
  await passGate(story, { stage: 'drain', ask })
}

/** Partners of those who stay for now come back to them: a keep-together rule does not wait for another time. */
async function reunite(story: Story, blockers: readonly Blocker[]): Promise<void> {
  const { node, policy } = story.input
  const inputs = await look(story, 'who is apart from a partner', async () => {
    const cluster = await observeAfterMoves(story.ports.hypervisor, story.heard.arrived, { avoid: node })
    const stuck = blockers.flatMap(({ guest }) => guest ?? [])
    const torn = new Set(stuck.flatMap((guest) => partnersOf(cluster, guest)))
    const away = cluster.guests.filter(
      (guest) => torn.has(guest.vmid) && guest.status === 'running' && guest.node !== node,
    )
    const back = away.map(({ vmid: guest, node: from, kind }) => {
      const mode = kind === 'ct' ? ('restart' as const) : ('live' as const)
      return { guest, from, to: node, mode, purpose: 'home' as const }
    })
    const facts = moveFacts(cluster, back, { defaultBudgetMs: policy.defaultPauseBudgetMs })
    return back.map((move, index) => ({ move, facts: facts[index] }))
  })
  const moves = inputs.map(({ move, facts }): MoveInput => inputOf(story, move, facts))
  const results = await runMoves(story, moves, 1)
  moves.forEach(({ move }, index) => {
    const result = results[index]
    if (result?.is === 'moved') story.heard.arrived[move.guest] = result.at
  })
}

function inputOf(story: Story, move: MoveInput['move'], facts: MoveFacts | undefined): MoveInput {
  return {
    maintenance: story.input,
    move,
    pauseBudgetMs: facts?.pauseBudgetMs ?? story.input.policy.defaultPauseBudgetMs,
    withLocalDisks: facts?.withLocalDisks ?? false,
    leaveToHaMs: 0,
    haManaged: facts?.haManaged ?? false,
    forecastMs: 0,
    together: facts?.together ?? [],
    undoing: story.heard.undoing,
    drainBeganMs: Number.MAX_SAFE_INTEGER,
    // A rule is never broken, and a pause over budget is told.
    mayOverrun: true,
  }
}

/** Another plan begins its tries anew, and remembers which targets were tried. */
const forgetTries = (troubles: Troubles): Troubles =>
  Object.fromEntries(Object.entries(troubles).map(([guest, trouble]) => [guest, { ...trouble, tries: 0 }]))

const brakes = async (story: Story): Promise<readonly Blocker[]> =>
  brakesSeen(await story.ports.hypervisor.observe({ avoid: story.input.node, again: true }), story.input.node)

const brakesSeen = (cluster: ClusterObservation, node: NodeName): readonly Blocker[] => [
  ...brakeBlockers(cluster, node),
  ...busyBlockers(cluster, node),
]

/** What one look tells: what stops all moves, which are next, and what their movers must know. */
type Now = {
  readonly brakes: readonly Blocker[]
  readonly next: Next
  readonly facts: readonly MoveFacts[]
  /** Somebody is gone whom no move of ours brought away. */
  readonly hasLeft: boolean
  /** Maintenance mode: HA moves its guests by itself. */
  readonly isModeOn: boolean
  readonly ahead: Ahead
}

/** The steps that follow when all goes as planned, foreseen by the same look. */
type Ahead = {
  readonly lookedAtMs: number
  readonly isModeOn: boolean
  readonly steps: readonly Pick<Now, 'next' | 'facts'>[]
}

/** A whole look asks every node; between the steps of a plan that goes as planned one question to the cluster's list is enough for so long. */
const FORESEEN_FOR_MS = 5 * 60_000
const AHEAD_LIMIT = 20

/** The next step, where it was foreseen, the look is young, and nobody has come whom it did not count. */
async function asForeseen(story: Story, plan: Plan, ahead: Ahead | undefined): Promise<Now | undefined> {
  const [step, ...steps] = ahead?.steps ?? []
  if (ahead === undefined || step === undefined || step.next.is !== 'batch') return undefined
  if ((await story.saga.nowMs()) - ahead.lookedAtMs > FORESEEN_FOR_MS) return undefined
  const { moves } = step.next
  const isCalm = await look(story, 'whether all is as foreseen', async () => {
    const { hypervisor } = story.ports
    const planned = new Set(plan.moves.map(({ guest }) => guest))
    const here = await hypervisor.listedOn(story.input.node, LIST_SHARED_FOR_MS)
    if (here.some((guest) => !planned.has(guest))) return false
    // Moves to one target expect the same guests there.
    const expected = new Map(moves.map(({ to }, index) => [to, step.facts[index]?.expectedThere ?? []]))
    for (const [target, guests] of expected) {
      const there = await hypervisor.listedOn(target, LIST_SHARED_FOR_MS)
      if (there.some((guest) => !guests.includes(guest))) return false
    }
    return true
  })
  return isCalm
    ? { ...step, brakes: [], hasLeft: false, isModeOn: ahead.isModeOn, ahead: { ...ahead, steps } }
    : undefined
}

async function lookForNext(story: Story, plan: Plan, troubles: Troubles): Promise<Now> {
  const { node, policy } = story.input
  return look(story, `what is left on ${node}`, async () => {
    const cluster = await observeAfterMoves(story.ports.hypervisor, story.heard.arrived, { avoid: node, again: true })
    const next = stillAllowed(story, { cluster, plan, next: nextBatch({ cluster, plan, node, troubles }) })
    const isModeOn = cluster.nodes.some(({ name, maintenance }) => name === node && maintenance)
    const unheard = unheardOf(story).map(({ vmid: guest }) => guest)
    const leaving = guestsOn(cluster, node).map(({ vmid: guest }) => guest)
    const withFacts = (world: ClusterObservation, one: Next) => ({
      next: one,
      facts: moveFacts(world, one.is === 'batch' ? one.moves : [], {
        defaultBudgetMs: policy.defaultPauseBudgetMs,
        leaving,
      }),
    })
    const steps: Pick<Now, 'next' | 'facts'>[] = []
    let world = cluster
    for (let one = next; one.is === 'batch' && !one.isLast && steps.length < AHEAD_LIMIT; ) {
      world = afterBatch(world, one.moves)
      one = stillAllowed(story, { cluster: world, plan, next: nextBatch({ cluster: world, plan, node, troubles }) })
      if (one.is === 'batch') steps.push(withFacts(world, one))
    }
    return {
      brakes: brakesSeen(cluster, node),
      ...withFacts(cluster, next),
      isModeOn,
      ahead: { lookedAtMs: cluster.observedAtMs, isModeOn, steps },
      hasLeft: cluster.guests.some((guest) => guest.node !== node && unheard.includes(guest.vmid)),
    }
  })
}

/** The world when all of a step have moved as planned. */
function afterBatch(cluster: ClusterObservation, moves: readonly Move[]): ClusterObservation {
  const to = new Map(moves.map((move) => [move.guest, move.to]))
  return { ...cluster, guests: cluster.guests.map((guest) => ({ ...guest, node: to.get(guest.vmid) ?? guest.node })) }
}

/** What breaks a rule while it is moved; what the plan says of itself is no question any more. */
const BROKEN_ON_THE_WAY: readonly string[] = ['memory-short', 'storage-short', 'keep-apart', 'pinned']

/** Somebody else may have filled a target since the plan was made: the checker looks at every batch, in the world as it is now. */
function stillAllowed(
  story: Story,
  { cluster, plan, next }: { readonly cluster: ClusterObservation; readonly plan: Plan; readonly next: Next },
): Next {
  if (next.is !== 'batch') return next
  const rules = { ...story.input.policy.plan, lifted: story.heard.lifted }
  const wrong = checkPlan({ cluster, plan: { ...plan, moves: next.moves }, policy: rules }).find(({ kind }) =>
    BROKEN_ON_THE_WAY.includes(kind),
  )
  return wrong === undefined ? next : { is: 'revise', why: wrong.text }
}

type Ledger = { readonly beganMs: number; readonly troubles: Troubles }

/** One step of the plan: who has trouble, and whether everybody went where he was to go. */
type Batch = { readonly troubles: Troubles; readonly isAsPlanned: boolean }

async function moveBatch(story: Story, plan: Plan, { next, facts, isModeOn }: Now, ledger: Ledger): Promise<Batch> {
  const moves = next.is === 'batch' ? next.moves : []
  const inputs = moves.map((move, index): MoveInput => {
    const { guest, from, to, mode, purpose, startsAtS, endsAtS } = move
    const known = facts[index]
    return {
      maintenance: story.input,
      move: { guest, from, to, mode, purpose },
      pauseBudgetMs: known?.pauseBudgetMs ?? story.input.policy.defaultPauseBudgetMs,
      withLocalDisks: known?.withLocalDisks ?? false,
      leaveToHaMs:
        known?.haManaged === true && isModeOn && purpose === 'drain' && from === story.input.node ? LEAVE_TO_HA_MS : 0,
      haManaged: known?.haManaged ?? false,
      forecastMs: Math.round((endsAtS - startsAtS) * 1000),
      together: known?.together ?? [],
      ...(known === undefined ? {} : { expectedThere: known.expectedThere }),
      undoing: story.heard.undoing,
      drainBeganMs: ledger.beganMs,
      mayOverrun: story.heard.lifted.includes('pause-budget'),
    }
  })
  const results = await runBatch(story, inputs, plan.parallelMigrations)
  moves.forEach((move, index) => {
    const result = results[index]
    if (result?.is === 'moved') story.heard.arrived[move.guest] = result.at
  })
  const after = results.some(({ is }) => is !== 'moved') ? afterMoves(ledger.troubles, moves, results) : ledger.troubles
  // A failed move is not asked for again in the same breath.
  if (results.some((result) => result.is === 'failed')) await pass(story, FAILED_PAUSE_MS)
  const isAsPlanned = moves.every((move, index) => {
    const result = results[index]
    return result?.is === 'moved' && result.at === move.to
  })
  return { troubles: after, isAsPlanned }
}

const FAILED_PAUSE_MS = 15_000

/** At most this many children at once, whatever a plan says: the port's own limit. */
const CHILDREN_LIMIT = 8

/** HA moves what was left to it as it likes, several at once: all of them are followed from the beginning, then come ours. */
async function runBatch(story: Story, inputs: readonly MoveInput[], parallel: number): Promise<readonly MoveResult[]> {
  const isLeft = ({ leaveToHaMs }: MoveInput) => leaveToHaMs > 0
  const left = inputs.filter(isLeft)
  const ours = inputs.filter((input) => !isLeft(input))
  // Ours begin by the same look, which is as old as HA's moves have lasted.
  const lookedAtMs = await story.saga.nowMs()
  const byHa = left.length > 0 ? await runMoves(story, left, CHILDREN_LIMIT) : []
  const byUs = ours.length > 0 ? await runMoves(story, ours, parallel, lookedAtMs) : []
  return inputs.map((input) => (isLeft(input) ? byHa[left.indexOf(input)] : byUs[ours.indexOf(input)]) as MoveResult)
}

/** Child sagas, one a guest; a child that broke is a failed move, never a lost one. */
export async function runMoves(
  story: Story,
  inputs: readonly MoveInput[],
  parallel: number,
  /** When the look was taken that they come from; absent: right now. */
  seenAtMs?: number,
): Promise<readonly MoveResult[]> {
  const limit = Math.max(1, Math.min(CHILDREN_LIMIT, parallel))
  const lookedAtMs = seenAtMs ?? (await story.saga.nowMs())
  const results = await story.saga.fanOut<MoveInput & Json, MoveResult & Json>(
    MOVE_SAGA,
    inputs.map((input) => ({ ...input, lookedAtMs })) as readonly (MoveInput & Json)[],
    limit,
  )
  return results.map((result) => (result.is === 'ok' ? result.value : { is: 'failed', text: result.text }))
}

function afterMoves(before: Troubles, moves: readonly Move[], results: readonly MoveResult[]): Troubles {
  const after: Record<string, Trouble> = { ...before }
  moves.forEach((move, index) => {
    const result = results[index]
    if (result?.is !== 'failed') return
    const known = after[move.guest]
    const { text } = result
    const triedTargets = [...new Set([...(known?.triedTargets ?? []), move.to])]
    after[move.guest] = { tries: (known?.tries ?? 0) + 1, triedTargets, overBudget: result.overBudget === true, text }
  })
  return after
}

/** A second failure in the middle of a drain is a new revision of the plan, not a broken saga. */
async function revise(story: Story, before: Plan, why: string, troubles: Troubles): Promise<Plan> {
  const { node } = story.input
  await note(story, { kind: 'said', text: `the plan is revised: ${why}`, about: node })
  for (;;) {
    const made = await look(story, 'a revised plan', () => makeRevision(story, before, troubles))
    const standing = withoutLifted(made.blockers, story.heard.lifted)
    if (standing.length === 0) return approveRevision(story, made.plan)
    await note(story, { kind: 'plan-proposed', plan: made.plan })
    await passGate(story, { stage: 'drain', ask: async () => (await makeRevision(story, before, troubles)).blockers })
  }
}

/** The plan and all that speaks against it, the checker's word too: the gate asks this very question, or it would open for nothing. */
async function makeRevision(story: Story, before: Plan, troubles: Troubles) {
  const { node, policy } = story.input
  const cluster = await observeAfterMoves(story.ports.hypervisor, story.heard.arrived, { avoid: node })
  const ceph = await story.ports.storage.observe()
  const model = await measuredModel(story, cluster)
  const shunning = { ...cluster, rules: [...cluster.rules, ...shun(cluster, troubles)] }
  const elsewhere = await proposeRevision(story, { cluster: shunning, ceph, before, model })
  // Where there is no other target, the same one again: the drain waits in between.
  const plan = elsewhere.feasible ? elsewhere : await proposeRevision(story, { cluster, ceph, before, model })
  const rules = { ...policy.plan, lifted: story.heard.lifted }
  const wrong = violationBlockers(checkPlan({ cluster, plan, policy: rules }))
  return { plan, blockers: [...plan.blockers, ...wrong] }
}

/** Away from the targets that a guest has tried: as a pin to all others, for this plan alone. */
function shun(cluster: ClusterObservation, troubles: Troubles): readonly Rule[] {
  return Object.entries(troubles).map(([guest, { triedTargets }]) => ({
    kind: 'pin',
    guests: [vmid(Number(guest))],
    nodes: cluster.nodes.map(({ name }) => name).filter((name) => !triedTargets.includes(name)),
    strict: true,
  }))
}

async function approveRevision(story: Story, plan: Plan): Promise<Plan> {
  await note(story, { kind: 'plan-proposed', plan })
  if (!story.input.policy.revisionsNeedApproval) {
    const reason = 'the same drain, every rule kept'
    await note(story, { kind: 'plan-approved', plan: plan.id, by: 'policy', lifted: [], reason })
    return plan
  }
  const untilMs = (await story.saga.nowMs()) + story.input.policy.gateLimitS * 1000
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const word = await attend(story, untilMs)
    if (word.is !== 'control' || word.message.kind === 'lift') continue
    const { by, reason } = word.message
    if (word.message.kind === 'reject') throw new StoryStopped(`${by} rejected the revised plan: ${reason}`)
    if (word.message.plan !== plan.id) continue
    await note(story, { kind: 'plan-approved', plan: plan.id, by, lifted: word.message.lifted, reason })
    return plan
  }
  throw new StoryStopped('nobody approved the revised plan')
}

/** Two looks further apart than the cluster's list is stale, each by its word and by the node's own. False: somebody is left. */
async function proveEmpty(story: Story): Promise<boolean> {
  const { node, policy } = story.input
  if (!(await isSeenEmpty(story))) return settle(story)
  const beganMs = await story.saga.nowMs()
  await pass(story, policy.emptyLooksApartS * 1000)
  if (!(await isSeenEmpty(story))) return settle(story)
  const apartMs = (await story.saga.nowMs()) - beganMs
  await note(story, { kind: 'node-empty', node, looks: 2, apartMs })
  return true
}

const SETTLES_WITHIN_LOOKS = 3
const SETTLE_MS = 10_000

/** Where the node itself has nobody, the list may only be stale: it is looked at again before anything else is. */
async function isSeenEmpty(story: Story): Promise<boolean> {
  for (let looks = 1; ; looks++) {
    const { listed, own } = await whoIsLeft(story)
    if (listed.length + own.length === 0) return true
    if (own.length > 0 || looks >= SETTLES_WITHIN_LOOKS) return false
    await pass(story, SETTLE_MS)
  }
}

/** The list may only be stale: a look too early is no reason to plan anew. */
async function settle(story: Story): Promise<false> {
  await pass(story, SETTLE_MS)
  return false
}

/** Two independent words: the cluster's list, and the node's own. */
const whoIsLeft = (story: Story) =>
  look(story, `whether ${story.input.node} is empty`, async () => {
    const { hypervisor } = story.ports
    const { node } = story.input
    return { listed: await hypervisor.listedOn(node), own: await hypervisor.runningOn(node) }
  })

/** By the cluster's list, given, and by the node's own word, asked now. */
export async function stillRunning(story: Story, cluster: ClusterObservation): Promise<readonly Blocker[]> {
  const { node } = story.input
  // It was off, proven and empty, and has not joined since: it starts nobody without its cluster, and cannot be asked.
  const cannotTell = story.heard.wasOpened && nodeOf(cluster, node)?.online === false
  return notEmptyBlockers(cluster, node, cannotTell ? [] : await story.ports.hypervisor.runningOn(node))
}

export const hasHaGuests = (story: Story) =>
  look(story, 'HA guests', async () => {
    const cluster = await story.ports.hypervisor.observe({ avoid: story.input.node })
    return guestsOn(cluster, story.input.node).some((guest) => guest.ha.managed)
  })
