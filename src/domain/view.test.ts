import { describe, expect, test } from 'vitest'
import { can } from './can.ts'
import type { Event, JournalRow } from './event.ts'
import { customerId, maintenanceId, nodeName, planId, vmid, workOrderId } from './ids.ts'
import type { WorkOrder } from './maintenance.ts'
import { DEFAULT_FORECAST_MODEL, type Move, type Plan } from './plan.ts'
import { renderLogLine } from './render.ts'
import {
  advance,
  endOf,
  homecomingOf,
  longestBlackoutOf,
  longestProbeGapOf,
  unmeasuredMoveCountOf,
  viewOf,
} from './view.ts'

const pve1 = nodeName('pve1')
const pve3 = nodeName('pve3')
const guest = vmid(101)
const MIN = 60_000

const finding = {
  atMs: 0,
  node: pve3,
  part: 'FAN3',
  level: 'drain-advised',
  class: 'intermittent',
  confidence: 0.97,
  episodes: 4,
  windowS: 111_600,
  expectedFalseAlarmsPer100PartYears: 0.5,
  text: 'FAN3 drops out',
} as const

const drainMove: Move = {
  step: 1,
  guest,
  from: pve3,
  to: pve1,
  mode: 'live',
  purpose: 'drain',
  startsAtS: 0,
  endsAtS: 14,
  forecastBlackoutMs: 60,
}

const plan: Plan = {
  id: planId('p1'),
  revision: 1,
  observedAtMs: 0,
  drain: [pve3],
  feasible: true,
  moves: [drainMove],
  stays: [],
  makespanS: 14,
  lowerBoundS: 12,
  bytesMoved: 1,
  parallelMigrations: 2,
  model: DEFAULT_FORECAST_MODEL,
  after: [],
  spare: { nodesThatMayFail: 1 },
  blockers: [],
  notes: [],
  wayHome: [],
}

const order: WorkOrder = {
  id: workOrderId('w1'),
  node: pve3,
  place: { site: 'mad1', room: '2', rack: 'c', unit: '17', serial: 'CZ3', assetTag: 'A1' },
  part: 'FAN3',
  why: 'it drops out',
  checklist: ['clean'],
  powerNote: 'starts when the cord goes back in',
  answerBeforeMs: 8 * 60 * MIN,
  round: 1,
}

const toPve1 = { kind: 'migrate', guest, from: pve3, to: pve1, mode: 'live', purpose: 'drain' } as const
const homeAgain = { kind: 'migrate', guest, from: pve1, to: pve3, mode: 'live', purpose: 'home' } as const

const opening: Event = { kind: 'maintenance-opened', node: pve3, finding, requestedBy: 'eva' }

function journal(...events: readonly Event[]): readonly JournalRow[] {
  return [opening, ...events].map((event, index) => ({
    maintenance: maintenanceId('m1'),
    seq: index + 1,
    key: `k${index}`,
    atMs: index * MIN,
    event,
    prevHash: '',
    hash: '',
  }))
}

const planned: readonly Event[] = [
  { kind: 'stage-began', stage: 'plan' },
  {
    kind: 'origins-recorded',
    origins: [{ vmid: guest, name: 'shop', kind: 'vm', node: pve3, status: 'running', customer: customerId('acorn') }],
  },
  { kind: 'plan-proposed', plan },
]

describe('the view of a maintenance', () => {
  test('follows a guest away and home, with what was measured', () => {
    const rows = journal(
      ...planned,
      { kind: 'plan-approved', plan: plan.id, by: 'eva', lifted: [], reason: '' },
      { kind: 'stage-ended', stage: 'plan' },
      { kind: 'stage-began', stage: 'drain' },
      { kind: 'intends', act: toPve1 },
      { kind: 'guest-copying', guest, transferredBytes: 5, totalBytes: 10 },
    )
    const copying = viewOf(rows)
    expect(copying.moves).toMatchObject([{ guest, state: { is: 'copying', transferredBytes: 5, totalBytes: 10 } }])
    const away = viewOf(
      journal(...rows.slice(1).map(({ event }) => event), {
        kind: 'did',
        act: toPve1,
        outcome: { is: 'done', measured: { blackoutMs: 62 } },
      }),
    )
    expect(homecomingOf(away)).toEqual({ moved: 1, home: 0, away: 1 })
    expect(longestBlackoutOf(away)).toEqual({ blackoutMs: 62 })
    const [last] = journal({ kind: 'did', act: homeAgain, outcome: { is: 'already' } }).slice(-1)
    const home = advance(away, last as JournalRow)
    expect(homecomingOf(home)).toEqual({ moved: 1, home: 1, away: 0 })
    expect(unmeasuredMoveCountOf(home)).toBe(1)
  })

  test('a move that failed and then worked is one line', () => {
    const view = viewOf(
      journal(
        ...planned,
        { kind: 'intends', act: toPve1 },
        { kind: 'did', act: toPve1, outcome: { is: 'failed', text: 'no route' } },
        { kind: 'intends', act: toPve1 },
        { kind: 'did', act: toPve1, outcome: { is: 'done' } },
      ),
    )
    expect(view.moves).toMatchObject([{ state: { is: 'done', measured: 'unmeasured' } }])
  })

  test('a guest that HA took elsewhere is shown where it is', () => {
    const at = nodeName('pve4')
    const view = viewOf(
      journal(...planned, { kind: 'intends', act: toPve1 }, { kind: 'did', act: toPve1, outcome: { is: 'done', at } }),
    )
    expect(view.moves.map((move) => [move.to, endOf(move)])).toEqual([['pve1', 'pve4']])
    expect(view.guests.map(({ now }) => now)).toEqual(['pve4'])
  })

  test('a new revision drops what it no longer wants and keeps what was begun', () => {
    const other = { ...drainMove, guest: vmid(102) }
    const second = { ...plan, id: planId('p2'), revision: 2, moves: [{ ...other, to: nodeName('pve2') }] }
    const first = { ...plan, moves: [drainMove, other] }
    const view = viewOf(
      journal(
        { kind: 'plan-proposed', plan: first },
        { kind: 'intends', act: toPve1 },
        { kind: 'plan-proposed', plan: second },
      ),
    )
    expect(view.moves.map(({ guest: id, to, state }) => [id, to, state.is])).toEqual([
      [101, 'pve1', 'copying'],
      [102, 'pve2', 'planned'],
    ])
  })

  test('a gate keeps the time at which it closed first', () => {
    const blocker = { kind: 'node-busy', text: 'a backup runs', lifts: 'its end' } as const
    const view = viewOf(
      journal(
        { kind: 'gate-closed', stage: 'drain', blockers: [blocker] },
        { kind: 'gate-closed', stage: 'drain', blockers: [blocker, blocker] },
      ),
    )
    expect(view.gate).toMatchObject({ sinceMs: MIN, blockers: [blocker, blocker] })
    expect(can(view, 'lift')).toEqual({ is: 'no', reason: 'nobody may lift node-busy' })
  })

  test('says that nobody measured, and never 0', () => {
    const view = viewOf(
      journal(...planned, {
        kind: 'probe-read',
        customer: customerId('acorn'),
        readings: [{ is: 'unmeasured', guest, reason: 'prober was down' }],
      }),
    )
    expect(longestBlackoutOf(view)).toBe('unmeasured')
    expect(longestProbeGapOf(view)).toBe('unmeasured')
  })

  test('a failed verification leads back to repair: the stage counts its rounds', () => {
    const view = viewOf(
      journal(
        { kind: 'stage-began', stage: 'repair' },
        { kind: 'work-order-issued', order },
        { kind: 'stage-ended', stage: 'repair' },
        { kind: 'stage-began', stage: 'repair' },
      ),
    )
    const repair = view.stages.find(({ stage }) => stage === 'repair')
    expect(repair).toMatchObject({ state: 'running', rounds: 2, beganAtMs: MIN })
    expect(repair?.endedAtMs).toBeUndefined()
  })

  test('refuses a journal that does not begin at its beginning', () => {
    expect(() => viewOf(journal(...planned).slice(1))).toThrow('begins with maintenance-opened')
  })
})

describe('what people may do', () => {
  test('a plan waits for approval until its stage ends', () => {
    expect(can(viewOf(journal()), 'approve')).toEqual({ is: 'no', reason: 'there is no plan yet' })
    expect(can(viewOf(journal(...planned)), 'approve')).toEqual({ is: 'yes' })
    const approved: Event = { kind: 'plan-approved', plan: plan.id, by: 'eva', lifted: [], reason: '' }
    expect(can(viewOf(journal(...planned, approved)), 'approve')).toEqual({ is: 'yes' })
    expect(can(viewOf(journal(...planned, approved, { kind: 'stage-ended', stage: 'plan' })), 'approve').is).toBe('no')
  })

  test('a plan with a firm blocker cannot be approved, and the reason names it', () => {
    const short = { ...plan, blockers: [{ kind: 'memory-short', text: 'too little', lifts: 'more memory' }] } as const
    expect(can(viewOf(journal({ kind: 'plan-proposed', plan: short })), 'approve')).toEqual({
      is: 'no',
      reason: 'the plan has blockers that nobody may lift: memory-short',
    })
  })

  test('pause and resume take turns, and nothing goes after the end', () => {
    const running = viewOf(journal())
    expect([can(running, 'pause').is, can(running, 'resume').is]).toEqual(['yes', 'no'])
    const paused = viewOf(journal({ kind: 'paused', by: 'eva' }))
    expect([can(paused, 'pause').is, can(paused, 'resume').is]).toEqual(['no', 'yes'])
    const ended = viewOf(journal({ kind: 'maintenance-ended', ending: 'done', text: '' }))
    expect(can(ended, 'abort')).toEqual({ is: 'no', reason: 'the maintenance has ended: done' })
  })

  test('a work order is answered while one is open', () => {
    expect(can(viewOf(journal()), 'answer-work-order').is).toBe('no')
    expect(can(viewOf(journal({ kind: 'work-order-issued', order })), 'answer-work-order').is).toBe('yes')
  })
})

describe('a line of the log', () => {
  const line = (event: Event, atMs = 0) => renderLogLine({ row: { atMs, event }, startMs: 0 })

  test('says what happened, to what, by how much', () => {
    const measured = { is: 'done', measured: { blackoutMs: 62 } } as const
    expect(line({ kind: 'did', act: toPve1, outcome: measured }, 7_985_000)).toBe(
      '+02:13:05  guest 101: runs on pve1, blackout 62 ms',
    )
  })

  test('says unmeasured where nobody measured', () => {
    expect(line({ kind: 'did', act: toPve1, outcome: { is: 'already' } })).toBe(
      '+00:00:00  guest 101: runs on pve1 already, blackout unmeasured',
    )
  })

  test('names every blocker with what lifts it', () => {
    const blockers = [
      { kind: 'node-busy', text: 'a backup runs', lifts: 'its end' },
      { kind: 'ceph-nearfull', text: 'osd.3 is nearfull', lifts: 'room' },
    ] as const
    expect(line({ kind: 'gate-closed', stage: 'drain', blockers })).toBe(
      '+00:00:00  drain waits: a backup runs (node-busy; lifted by: its end); osd.3 is nearfull (ceph-nearfull; lifted by: room)',
    )
  })
})
