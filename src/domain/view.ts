/** One maintenance as its journal tells it: a pure fold, the same for terminal, API, pages, demo and report. */
import type { Act, Outcome } from './act.ts'
import type { Blocker, BlockerKind } from './blocker.ts'
import type { NooutLease } from './ceph.ts'
import type { Event, JournalRow, Origin } from './event.ts'
import type { Finding } from './finding.ts'
import type { CustomerId, MaintenanceId, NodeName, PlanId, Vmid, WorkOrderId } from './ids.ts'
import { type Ending, type Interlock, STAGES, type Stage, type WorkOrder, type WorkOrderAnswer } from './maintenance.ts'
import { longestBlackout, type Measured } from './measured.ts'
import type { ProbeReading } from './measurement.ts'
import type { Move, MoveMode, Plan } from './plan.ts'

/** A stage that is entered again (a failed verification leads back to repair) keeps its first begin and counts its rounds. */
export type StageView = {
  readonly stage: Stage
  readonly state: 'ahead' | 'running' | 'done'
  readonly rounds: number
  readonly beganAtMs?: number
  readonly endedAtMs?: number
}

export type MoveView = {
  readonly guest: Vmid
  readonly from: NodeName
  readonly to: NodeName
  readonly mode: MoveMode
  readonly purpose: Move['purpose'] | 'home'
  readonly state:
    | { readonly is: 'planned' }
    | {
        readonly is: 'copying'
        readonly sinceMs: number
        readonly transferredBytes: number
        readonly totalBytes: number
      }
    /** `arrivedOn`: where HA took it, if that is not where it was sent. */
    | { readonly is: 'done'; readonly atMs: number; readonly measured: Measured; readonly arrivedOn: NodeName }
    | { readonly is: 'failed'; readonly atMs: number; readonly text: string }
}

export type ApprovalView = {
  readonly plan: PlanId
  readonly by: string
  readonly lifted: readonly BlockerKind[]
  readonly reason: string
  readonly atMs: number
}

export type GateView = { readonly stage: Stage; readonly sinceMs: number; readonly blockers: readonly Blocker[] }

/** held: ours, now. expired: still set, and a person has to look. */
export type LeaseView =
  | { readonly is: 'none' }
  | { readonly is: 'held'; readonly lease: NooutLease }
  | { readonly is: 'expired'; readonly lease: NooutLease; readonly expiredAtMs: number }
  | { readonly is: 'released'; readonly atMs: number; readonly heldMs: number }

export type WorkOrderView = {
  readonly order: WorkOrder
  readonly issuedAtMs: number
  readonly answer?: WorkOrderAnswer
  readonly answeredAtMs?: number
  readonly refusals: readonly { readonly atMs: number; readonly by: string; readonly blocker: Blocker }[]
}

export type VerificationView =
  | { readonly is: 'none' }
  | { readonly is: 'soaking'; readonly sinceMs: number; readonly untilMs: number }
  | { readonly is: 'failed'; readonly atMs: number; readonly blockers: readonly Blocker[] }
  | { readonly is: 'verified'; readonly atMs: number; readonly evidence: readonly string[] }

export type PowerView = 'on' | 'off' | 'off, cords pulled'

export type GuestView = Origin & { readonly now: NodeName; readonly staysBecause?: string }

export type ProbeGap =
  | { readonly gapMs: number; readonly intervalMs: number; readonly guest: Vmid; readonly atMs: number }
  | 'unmeasured'

export type MaintenanceView = {
  readonly id: MaintenanceId
  readonly node: NodeName
  readonly finding: Finding
  readonly requestedBy: string
  readonly openedAtMs: number
  /** Of the last row. */
  readonly lastSeq: number
  readonly lastAtMs: number
  readonly stages: readonly StageView[]
  readonly stage: Stage | undefined
  readonly plan: Plan | undefined
  readonly plannedAtMs: number | undefined
  readonly approvals: readonly ApprovalView[]
  readonly rejected: { readonly plan: PlanId; readonly by: string; readonly reason: string } | undefined
  readonly moves: readonly MoveView[]
  readonly gate: GateView | undefined
  readonly paused: { readonly by: string; readonly sinceMs: number } | undefined
  readonly aborting: { readonly by: string; readonly reason: string; readonly sinceMs: number } | undefined
  readonly power: PowerView
  readonly interlock: Interlock
  readonly lease: LeaseView
  readonly noout: {
    readonly setAtMs?: number
    readonly clearedAtMs?: number
    readonly lostAtMs?: number
    readonly scope?: 'host' | 'cluster'
  }
  readonly workOrders: readonly WorkOrderView[]
  readonly guests: readonly GuestView[]
  readonly overBudget: readonly { readonly guest: Vmid; readonly blackoutMs: number; readonly budgetMs: number }[]
  readonly probes: readonly { readonly customer: CustomerId; readonly readings: readonly ProbeReading[] }[]
  readonly verification: VerificationView
  readonly published: readonly CustomerId[]
  readonly undoFailures: readonly { readonly name: string; readonly text: string }[]
  readonly ended: { readonly ending: Ending; readonly text: string; readonly atMs: number } | undefined
}

/** Reads a journal. Throws when it does not begin with `maintenance-opened`: ask for rows before asking for a view. */
export function viewOf(rows: readonly JournalRow[]): MaintenanceView {
  const first = rows[0]
  if (first?.event.kind !== 'maintenance-opened') throw new Error('a journal begins with maintenance-opened')
  return rows.slice(1).reduce(advance, opened(first, first.event))
}

/** The next row on top of a view; `viewOf` is this, over all rows. */
export function advance(view: MaintenanceView, row: JournalRow): MaintenanceView {
  const fold = FOLDS[row.event.kind] as Fold<Event> | undefined
  const changes = fold === undefined ? {} : fold(view, row.event, row.atMs)
  return { ...view, ...changes, lastSeq: row.seq, lastAtMs: row.atMs }
}

type EventOf<K extends Event['kind']> = Extract<Event, { kind: K }>
type Fold<E extends Event> = (view: MaintenanceView, event: E, atMs: number) => Partial<MaintenanceView>

function opened(row: JournalRow, { node, finding, requestedBy }: EventOf<'maintenance-opened'>): MaintenanceView {
  return {
    id: row.maintenance,
    node,
    finding,
    requestedBy,
    openedAtMs: row.atMs,
    lastSeq: row.seq,
    lastAtMs: row.atMs,
    stages: STAGES.map((stage) => ({ stage, state: 'ahead', rounds: 0 })),
    stage: undefined,
    plan: undefined,
    plannedAtMs: undefined,
    approvals: [],
    rejected: undefined,
    moves: [],
    gate: undefined,
    paused: undefined,
    aborting: undefined,
    power: 'on',
    interlock: { is: 'not-safe', reasons: ['not proven yet'] },
    lease: { is: 'none' },
    noout: {},
    workOrders: [],
    guests: [],
    overBudget: [],
    probes: [],
    verification: { is: 'none' },
    published: [],
    undoFailures: [],
    ended: undefined,
  }
}

const nothing = () => ({})

/** A key for every kind and no fallback: a new event does not compile until somebody decided what it changes. */
const FOLDS: { readonly [K in Event['kind']]: Fold<EventOf<K>> } = {
  'maintenance-opened': nothing,
  'stage-began': (view, { stage }, atMs) => ({ stage, ...withStage(view, stage, 'running', atMs) }),
  'stage-ended': (view, { stage }, atMs) => ({
    stage: view.stage === stage ? undefined : view.stage,
    gate: view.gate?.stage === stage ? undefined : view.gate,
    ...withStage(view, stage, 'done', atMs),
  }),
  'finding-confirmed': (_, { finding }) => ({ finding }),
  // Recorded anew when a guest turned up: those who were known already stay where they are by now.
  'origins-recorded': (view, { origins }) => ({
    guests: origins.map((origin) => {
      const known = view.guests.find(({ vmid }) => vmid === origin.vmid)
      return { ...origin, now: known !== undefined && known.now !== known.node ? known.now : origin.node }
    }),
  }),
  'plan-proposed': (view, { plan }, atMs) => ({
    plan,
    plannedAtMs: atMs,
    rejected: undefined,
    moves: movesUnder(view.moves, plan),
  }),
  'plan-approved': (view, { plan, by, lifted, reason }, atMs) => ({
    approvals: [
      ...view.approvals.filter((old) => old.plan !== plan || old.by !== by),
      { plan, by, lifted, reason, atMs },
    ],
  }),
  'plan-rejected': (_, { plan, by, reason }) => ({ rejected: { plan, by, reason } }),
  'gate-closed': (view, { stage, blockers }, atMs) => ({
    gate: { stage, blockers, sinceMs: view.gate?.stage === stage ? view.gate.sinceMs : atMs },
  }),
  'gate-opened': () => ({ gate: undefined }),
  'blockers-lifted': nothing,
  paused: (_, { by }, atMs) => ({ paused: { by, sinceMs: atMs } }),
  resumed: () => ({ paused: undefined }),
  'abort-asked': (_, { by, reason }, atMs) => ({ aborting: { by, reason, sinceMs: atMs } }),
  intends: (view, { act }, atMs) => intending(view, act, atMs),
  did: (view, { act, outcome }, atMs) => doing(view, act, outcome, atMs),
  'guest-copying': (view, { guest, transferredBytes, totalBytes }) => ({
    moves: view.moves.map((move) =>
      move.guest === guest && move.state.is === 'copying'
        ? { ...move, state: { ...move.state, transferredBytes, totalBytes } }
        : move,
    ),
  }),
  'pause-allowed-grew': nothing,
  'pause-over-budget': (view, { guest, blackoutMs, budgetMs }) => ({
    overBudget: [...view.overBudget, { guest, blackoutMs, budgetMs }],
  }),
  'guest-appeared': nothing,
  'guest-moved-by-others': (view, { guest, to }) => ({ guests: relocated(view.guests, guest, to) }),
  'guest-stays': (view, { guest, text }) => ({
    guests: view.guests.map((one) => (one.vmid === guest ? { ...one, staysBecause: text } : one)),
  }),
  'node-empty': nothing,
  'hardware-recorded': nothing,
  'lease-held': (_, { lease }) => ({ lease: { is: 'held', lease } }),
  'lease-released': (_, { heldMs }, atMs) => ({ lease: { is: 'released', atMs, heldMs } }),
  'lease-expired': (view, { expiredAtMs }) =>
    view.lease.is === 'held' ? { lease: { is: 'expired', lease: view.lease.lease, expiredAtMs } } : {},
  'noout-lost': (view, _, atMs) => ({ noout: { ...view.noout, lostAtMs: atMs } }),
  'node-off': () => ({ power: 'off' }),
  'node-on': () => ({ power: 'on' }),
  'cords-pulled': () => ({ power: 'off, cords pulled' }),
  interlock: (_, { interlock }) => ({ interlock }),
  'work-order-issued': (view, { order }, atMs) => ({
    workOrders: [
      ...view.workOrders.filter((old) => old.order.id !== order.id),
      { order, issuedAtMs: atMs, refusals: [] },
    ],
  }),
  'work-order-answered': (view, { answer }, atMs) => ({
    workOrders: withOrder(view, answer.order, (old) => ({ ...old, answer, answeredAtMs: atMs })),
  }),
  'work-order-refused': (view, { order, by, blocker }, atMs) => ({
    workOrders: withOrder(view, order, (old) => ({ ...old, refusals: [...old.refusals, { atMs, by, blocker }] })),
  }),
  'soak-began': (_, { untilMs }, atMs) => ({ verification: { is: 'soaking', sinceMs: atMs, untilMs } }),
  verified: (_, { evidence }, atMs) => ({ verification: { is: 'verified', atMs, evidence } }),
  'verification-failed': (_, { blockers }, atMs) => ({ verification: { is: 'failed', atMs, blockers } }),
  'osds-back': nothing,
  'probe-read': (view, { customer, readings }) => ({
    probes: [...view.probes.filter((old) => old.customer !== customer), { customer, readings }],
  }),
  'undo-failed': (view, { name, text }) => ({ undoFailures: [...view.undoFailures, { name, text }] }),
  said: nothing,
  'maintenance-ended': (_, { ending, text }, atMs) => ({
    ended: { ending, text, atMs },
    gate: undefined,
    paused: undefined,
    stage: undefined,
  }),
}

function withStage(view: MaintenanceView, stage: Stage, state: 'running' | 'done', atMs: number) {
  const change = (old: StageView): StageView =>
    state === 'running'
      ? { stage, state, rounds: old.rounds + 1, beganAtMs: old.beganAtMs ?? atMs }
      : { ...old, state, endedAtMs: atMs }
  return { stages: view.stages.map((old) => (old.stage === stage ? change(old) : old)) }
}

/** What was begun stays in the picture; what a new revision no longer wants goes out of it. */
function movesUnder(before: readonly MoveView[], plan: Plan): readonly MoveView[] {
  const begun = before.filter(({ state }) => state.is !== 'planned')
  const running = begun.filter(({ state }) => state.is === 'copying')
  const planned = plan.moves
    .filter((move) => !running.some((one) => sameMove(one, move)))
    .map(
      ({ guest, from, to, mode, purpose }): MoveView => ({ guest, from, to, mode, purpose, state: { is: 'planned' } }),
    )
  return [...begun, ...planned]
}

type MoveKey = Pick<MoveView, 'guest' | 'from' | 'to' | 'purpose'>

const sameMove = (a: MoveKey, b: MoveKey) =>
  a.guest === b.guest && a.from === b.from && a.to === b.to && a.purpose === b.purpose

/** The newest entry of this very move, or a new one: a move that failed and is tried again is one line. */
function withMove(view: MaintenanceView, key: MoveKey & { readonly mode: MoveMode }, state: MoveView['state']) {
  const index = view.moves.findLastIndex((move) => sameMove(move, key))
  const { guest, from, to, mode, purpose } = key
  const move: MoveView = { guest, from, to, mode, purpose, state }
  return index < 0 ? [...view.moves, move] : view.moves.with(index, move)
}

const withOrder = (view: MaintenanceView, id: WorkOrderId, change: (old: WorkOrderView) => WorkOrderView) =>
  view.workOrders.map((old) => (old.order.id === id ? change(old) : old))

const relocated = (guests: readonly GuestView[], guest: Vmid, now: NodeName) =>
  guests.map((one) => (one.vmid === guest ? { ...one, now } : one))

function intending(view: MaintenanceView, act: Act, atMs: number): Partial<MaintenanceView> {
  if (act.kind !== 'migrate') return {}
  return { moves: withMove(view, act, { is: 'copying', sinceMs: atMs, transferredBytes: 0, totalBytes: 0 }) }
}

function doing(view: MaintenanceView, act: Act, outcome: Outcome, atMs: number): Partial<MaintenanceView> {
  if (act.kind === 'migrate') return moved(view, act, outcome, atMs)
  if (outcome.is === 'failed') return {}
  if (act.kind === 'set-noout') return { noout: { setAtMs: view.noout.setAtMs ?? atMs, scope: act.scope } }
  if (act.kind === 'clear-noout') return { noout: { ...view.noout, clearedAtMs: atMs } }
  if (act.kind === 'publish-report') return { published: [...new Set([...view.published, act.customer])] }
  return {}
}

function moved(view: MaintenanceView, act: Extract<Act, { kind: 'migrate' }>, outcome: Outcome, atMs: number) {
  if (outcome.is === 'failed') return { moves: withMove(view, act, { is: 'failed', atMs, text: outcome.text }) }
  const measured = outcome.measured ?? 'unmeasured'
  const arrivedOn = outcome.at ?? act.to
  return {
    moves: withMove(view, act, { is: 'done', atMs, measured, arrivedOn }),
    guests: relocated(view.guests, act.guest, arrivedOn),
  }
}

/** Where a move leads, or led: its target, or where HA took the guest instead. */
export const endOf = ({ to, state }: MoveView): NodeName => (state.is === 'done' ? state.arrivedOn : to)

const doneMoves = (view: MaintenanceView) => view.moves.filter(({ state }) => state.is === 'done')

/** Of live moves: a restart is downtime, not a blackout, and an offline move pauses nobody. */
export function longestBlackoutOf(view: MaintenanceView): Measured {
  return longestBlackout(measuredIn(view, 'live'))
}

/** Of containers that were restarted elsewhere. */
export function longestRestartOf(view: MaintenanceView): Measured {
  return longestBlackout(measuredIn(view, 'restart'))
}

/** Live and restart moves that nobody timed: said beside the longest, else it promises too much. */
export function unmeasuredMoveCountOf(view: MaintenanceView): number {
  return [...measuredIn(view, 'live'), ...measuredIn(view, 'restart')].filter((one) => one === 'unmeasured').length
}

function measuredIn(view: MaintenanceView, mode: MoveMode): readonly Measured[] {
  return doneMoves(view).flatMap((move) =>
    move.mode === mode && move.state.is === 'done' ? [move.state.measured] : [],
  )
}

/** The longest silence that the outside prober saw, with its resolution. */
export function longestProbeGapOf(view: MaintenanceView): ProbeGap {
  let longest: ProbeGap = 'unmeasured'
  for (const reading of view.probes.flatMap(({ readings }) => readings)) {
    if (reading.is === 'unmeasured') continue
    if (longest !== 'unmeasured' && reading.longestGapMs <= longest.gapMs) continue
    const { longestGapMs: gapMs, intervalMs, guest, longestGapAtMs: atMs } = reading
    longest = { gapMs, intervalMs, guest, atMs }
  }
  return longest
}

/** Guests whose origin is the maintained node, and how many of them are there again. */
export function homecomingOf(view: MaintenanceView): {
  readonly moved: number
  readonly home: number
  readonly away: number
} {
  const moved = new Set(doneMoves(view).map(({ guest }) => guest))
  const guests = view.guests.filter(({ vmid }) => moved.has(vmid))
  const home = guests.filter(({ node, now }) => node === now).length
  return { moved: moved.size, home, away: guests.length - home }
}

/** The work order that waits for an answer now. */
export function openWorkOrderOf(view: MaintenanceView): WorkOrderView | undefined {
  return view.ended === undefined ? view.workOrders.findLast(({ answer }) => answer === undefined) : undefined
}

/** A plan lies before people: nobody rejected it, and stage `plan` still runs or nobody has approved this revision yet. */
export function awaitsApproval(view: MaintenanceView): boolean {
  const { plan, rejected, ended, aborting } = view
  if (plan === undefined || rejected !== undefined || ended !== undefined || aborting !== undefined) return false
  return view.stage === 'plan' || !view.approvals.some((approval) => approval.plan === plan.id)
}
