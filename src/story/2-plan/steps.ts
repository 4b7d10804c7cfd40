/** Stage 2: a fresh look, an immutable plan, the independent checker's word, and a person's approval. */
import { type Blocker, withoutLifted } from '#domain/blocker'
import type { CephObservation } from '#domain/ceph'
import type { ClusterObservation } from '#domain/cluster'
import { DriverError } from '#domain/driver-error'
import type { Origin } from '#domain/event'
import { durationText } from '#domain/figures'
import { planId } from '#domain/ids'
import type { ControlMessage } from '#domain/maintenance'
import type { BrokenBefore, ForecastModel, Plan, Violation } from '#domain/plan'
import { renderEvent } from '#domain/render'
import { askSafely, essenceOf } from '../gate.ts'
import { proveIdentity } from '../identity.ts'
import { notify } from '../notify.ts'
import { flagsElsewhere } from '../others.ts'
import { attend, look, note, ownerOf, type Story, StoryStopped } from '../story.ts'
import { allowedAgain, isNothingAllowed } from './allowed-again.ts'
import { checkPlan } from './check-plan.ts'
import { conditionsToBegin, type Facts, remarks } from './conditions.ts'
import { provePlan } from './prove-plan.ts'
import { modelFrom } from './recalibrate.ts'

/** The ledger that the way home reads. */
export type Ledger = {
  readonly origins: readonly Origin[]
  /** Absent: nothing was over a limit or broke a rule. */
  readonly before?: BrokenBefore
}

export type Approved = {
  readonly plan: Plan
  readonly ledger: Ledger
  /** The last look and the last approval that were needed. */
  readonly approvedAtMs: number
}

const LOOK_EVERY_MS = 60_000
const LOOK_AT_LEAST_EVERY_MS = 15 * 60_000
/** A plan that lies for days is not looked at every minute; an answer is heard at once all the same. */
const lookAfterMs = (waitedMs: number) => Math.min(LOOK_AT_LEAST_EVERY_MS, Math.max(LOOK_EVERY_MS, waitedMs / 20))

const APPROVAL_LIMIT_MS = 7 * 24 * 3_600_000

/** Without a plan: the cluster did not answer, or has no such node. */
type Proposal = {
  readonly plan: Plan | null
  readonly ledger: Ledger
  readonly conditions: readonly Blocker[]
}

/**
 * Resolves with the approved plan. StoryStopped when it is rejected, when the node is unknown, or nobody answers in a week.
 * `before`: the plan that was approved and has aged; the same moves under the same name want an approval again.
 */
export async function planAndApprove(story: Story, before?: Plan): Promise<Approved> {
  const beganMs = await story.saga.nowMs()
  const untilMs = beganMs + APPROVAL_LIMIT_MS
  let current: Omit<Approved, 'approvedAtMs'> | undefined
  let gate: Shown = { text: '', sinceMs: 0 }
  const approvers = new Set<string>()
  for (let nowMs = beganMs; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const fresh = await propose(story, current?.plan ?? before)
    if (fresh.plan !== null && (current === undefined || !isSamePlan(current.plan, fresh.plan))) {
      current = { plan: fresh.plan, ledger: fresh.ledger }
      approvers.clear()
      await note(story, { kind: 'origins-recorded', ...fresh.ledger }, { kind: 'plan-proposed', plan: fresh.plan })
      await askForApproval(story, fresh.plan)
    }
    const standing = withoutLifted([...fresh.conditions, ...(fresh.plan?.blockers ?? [])], story.heard.lifted)
    gate = await showGate(story, standing, gate)
    refuseAtOnce(standing)
    const isApproved = approvers.size >= story.input.policy.approvalsNeeded
    if (current !== undefined && standing.length === 0 && isApproved)
      return { ...current, approvedAtMs: await story.saga.nowMs() }
    const word = await attend(story, nowMs + lookAfterMs(nowMs - beganMs))
    if (word.is === 'control') await hearApprover(story, current?.plan, word.message, approvers)
  }
  throw new StoryStopped('nobody approved the plan in a week')
}

/** A node that does not exist will not come into being by waiting. */
function refuseAtOnce(standing: readonly Blocker[]): void {
  const unknown = standing.find((blocker) => blocker.kind === 'node-unknown')
  if (unknown !== undefined) throw new StoryStopped(`${unknown.text}; ${unknown.lifts}`)
}

type Shown = { readonly text: string; readonly sinceMs: number }

async function showGate(story: Story, standing: readonly Blocker[], shown: Shown): Promise<Shown> {
  const text = essenceOf(standing)
  if (text === shown.text) return shown
  const nowMs = await story.saga.nowMs()
  if (text === '') {
    await note(story, { kind: 'gate-opened', stage: 'plan', waitedMs: nowMs - shown.sinceMs })
    return { text, sinceMs: nowMs }
  }
  await note(story, { kind: 'gate-closed', stage: 'plan', blockers: standing })
  return { text, sinceMs: shown.text === '' ? nowMs : shown.sinceMs }
}

/** A plan that nobody knows of is approved by nobody. */
async function askForApproval(story: Story, plan: Plan): Promise<void> {
  const subject = `${story.input.node}: plan ${plan.id} waits for your approval`
  const text = [renderEvent({ kind: 'plan-proposed', plan }), ...plan.notes].join('\n')
  await notify(story, { audience: 'operator', subject, text })
}

type Heard = Exclude<ControlMessage, { kind: 'pause' | 'resume' | 'abort' }>

async function hearApprover(
  story: Story,
  plan: Plan | undefined,
  message: Heard,
  approvers: Set<string>,
): Promise<void> {
  if (plan === undefined) return
  switch (message.kind) {
    case 'lift':
      return
    case 'reject':
      await note(story, { kind: 'plan-rejected', plan: plan.id, by: message.by, reason: message.reason })
      throw new StoryStopped(`${message.by} rejected the plan: ${message.reason}`)
    case 'approve': {
      if (message.plan !== plan.id) {
        const text = `${message.by} approved plan ${message.plan}, and the plan is ${plan.id} now: it wants a new approval`
        await note(story, { kind: 'said', text })
        return
      }
      approvers.add(message.by)
      story.heard.lifted = [...new Set([...story.heard.lifted, ...message.lifted])]
      const { by, lifted, reason } = message
      await note(story, { kind: 'plan-approved', plan: plan.id, by, lifted, reason })
    }
  }
}

/** The world may be looked at again and again; only other moves make it another plan. */
function isSamePlan(one: Plan, other: Plan): boolean {
  const essence = (plan: Plan) =>
    plan.moves
      .map((move) => `${move.step} ${move.guest} ${move.from} ${move.to} ${move.mode} ${move.purpose}`)
      .join('\n')
  return essence(one) === essence(other) && one.feasible === other.feasible
}

async function propose(story: Story, before: Plan | undefined): Promise<Proposal> {
  return look(story, `cluster ${story.input.cluster} for a plan`, async () => {
    try {
      const facts = await gatherFacts(story)
      return await proposeFrom(story, facts, before, await measuredModel(story, facts.cluster))
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      const conditions = await askSafely(() => Promise.reject(error))
      return { plan: null, ledger: { origins: [] }, conditions }
    }
  })
}

async function proposeFrom(
  story: Story,
  facts: Facts,
  before: Plan | undefined,
  model: ForecastModel,
): Promise<Proposal> {
  const { policy } = story.input
  const { cluster, ceph } = facts
  const conditions = conditionsToBegin(facts)
  if (conditions.some((blocker) => blocker.kind === 'node-unknown'))
    return { plan: null, ledger: { origins: [] }, conditions }
  const rules = { ...policy.plan, lifted: story.heard.lifted }
  // Figures drift from look to look. A plan that keeps every rule in the world as it is now stays the plan: same moves, same approval.
  const isStillGood = before?.blockers.length === 0 && checkPlan({ cluster, plan: before, policy: rules }).length === 0
  if (isStillGood) return { plan: before, ledger: ledgerOf(story, cluster, before), conditions }
  const plan = await proposeRevision(story, { cluster, ceph, before, model })
  // A lock or a node that is away for a moment makes no other plan: the plan waits, with its approval.
  if (before?.feasible === true && !plan.feasible) {
    return { plan: before, ledger: ledgerOf(story, cluster, before), conditions: [...conditions, ...plan.blockers] }
  }
  const wrong = violationBlockers(checkPlan({ cluster, plan, policy: rules }))
  const ledger = ledgerOf(story, cluster, plan)
  return {
    plan: { ...plan, notes: [...plan.notes, ...remarks(facts), ...owedNotes(ledger.origins)] },
    ledger,
    conditions: [...conditions, ...wrong],
  }
}

/** What the independent checker found: the planner was wrong, or the world has changed under it. */
export const violationBlockers = (violations: readonly Violation[]): readonly Blocker[] =>
  violations.map(({ text }) => ({
    kind: 'plan-violates-rules',
    text,
    lifts: 'a new look, or an issue for us: the planner and its checker do not agree',
  }))

/** The node's own guests, and those of other nodes who make room: all who are to come home, each to his own. */
function ledgerOf({ input }: Story, cluster: ClusterObservation, plan: Plan): Ledger {
  const moving = new Set(plan.moves.map(({ guest }) => guest))
  const owed = new Map(input.owed?.map(({ guest, home }) => [guest, home]))
  const origins = cluster.guests
    .filter((guest) => guest.node === input.node || moving.has(guest.vmid))
    .map((guest) => {
      const home = owed.get(guest.vmid)
      return home === undefined || home === guest.node ? originOf(guest) : { ...originOf(guest), home }
    })
  const before = allowedAgain(cluster, input.policy.plan)
  return isNothingAllowed(before) ? { origins } : { origins, before }
}

const owedNotes = (origins: readonly Origin[]): readonly string[] =>
  origins.flatMap(({ vmid, home }) =>
    home === undefined ? [] : [`Guest ${vmid} was left here by an earlier maintenance: it goes home to ${home}.`],
  )

/** A plan by the rules, with what approvers lifted so far; proven where a solver is at hand. */
export async function proposeRevision(
  story: Story,
  world: {
    readonly cluster: ClusterObservation
    readonly ceph: CephObservation | 'none'
    readonly before: Plan | undefined
    readonly model: ForecastModel
  },
): Promise<Plan> {
  const { id, node, policy } = story.input
  const { cluster, ceph, before, model } = world
  const revision = before === undefined ? 1 : before.revision + 1
  const request = {
    id: planId(`${id}/${revision}`),
    revision,
    ...(before === undefined ? {} : { parent: before.id }),
    cluster,
    ceph,
    model,
    drain: [node],
    policy: { ...policy.plan, lifted: story.heard.lifted },
  }
  return provePlan(request, story.ports.solver)
}

/** The forecast's constants as this cluster's moves have shown them, those of this maintenance among them. */
export async function measuredModel(story: Story, cluster: ClusterObservation): Promise<ForecastModel> {
  const rows = await story.ports.journal.readMoves(story.input.cluster)
  return modelFrom(rows, cluster, await story.ports.clock.nowMs())
}

export const originOf = ({ vmid, name, kind, node, status, customer }: Origin): Origin => ({
  vmid,
  name,
  kind,
  node,
  status,
  ...(customer === undefined ? {} : { customer }),
})

/** One look at everything that the conditions ask about. */
async function gatherFacts(story: Story): Promise<Facts> {
  const { hypervisor, storage, clock } = story.ports
  const { node, policy } = story.input
  const cluster = await hypervisor.observe({ avoid: node })
  const ceph = await storage.observe()
  const osds = ceph === 'none' ? [] : ceph.osds.filter((osd) => osd.host === node).map((osd) => osd.id)
  const lease = ceph === 'none' ? undefined : await storage.readLease(node)
  return {
    node,
    nowMs: await clock.nowMs(),
    policy,
    cluster,
    ceph,
    identity: await proveIdentity(story),
    maintenanceMode: await hypervisor.maintenanceMode(node),
    nooutScope: storage.nooutScope,
    okToStop: osds.length === 0 ? 'not-asked' : await storage.okToStop(osds),
    leaseIsOurs: lease?.owner === ownerOf(story),
    elsewhere: await flagsElsewhere(story.ports, ceph, node),
  }
}

/**
 * An approved plan ages out: looked at once more right before the first move. Other moves want a new approval, and so does the same
 * plan when the approval is older than policy allows: a pause can last a weekend.
 */
export async function isStillFresh(story: Story, approved: Approved): Promise<boolean> {
  const { planMaxAgeS } = story.input.policy
  const ageMs = (await story.saga.nowMs()) - approved.approvedAtMs
  const again = await propose(story, approved.plan)
  const standing = withoutLifted([...again.conditions, ...(again.plan?.blockers ?? [])], story.heard.lifted)
  const isOther = again.plan === null || !isSamePlan(approved.plan, again.plan)
  if (ageMs <= planMaxAgeS * 1000 && standing.length === 0 && !isOther) return true
  const text = `plan ${approved.plan.id} was approved ${durationText(ageMs)} ago${isOther ? ', and the world wants other moves now' : ''}`
  const aged: Blocker = { kind: 'plan-aged', text, lifts: 'a new approval' }
  await note(story, { kind: 'gate-closed', stage: 'plan', blockers: [aged, ...standing] })
  return false
}
