/** Journals for tests: rows from events, a story that goes well and one that does not. */
import type { Customer } from '#domain/customer'
import type { Event, JournalRow, Origin } from '#domain/event'
import type { Finding } from '#domain/finding'
import { customerId, maintenanceId, nodeName, type Vmid, vmid, workOrderId } from '#domain/ids'
import { CHAIN_START, hashOfRow } from '#domain/journal-chain'
import type { WorkOrder } from '#domain/maintenance'
import type { Measured } from '#domain/measured'
import type { ProbeReading } from '#domain/measurement'
import type { Sha256 } from '#domain/merkle'
import type { MoveMode } from '#domain/plan'

const START_MS = Date.UTC(2026, 10, 3, 9, 0, 0)
const MINUTE = 60_000
const pve1 = nodeName('pve1')
const pve3 = nodeName('pve3')
const order = workOrderId('wo-1')

export const CUSTOMERS: readonly Customer[] = [
  { id: customerId('acorn'), name: 'Acorn Ltd', language: 'en', mail: 'ops@acorn.example' },
  { id: customerId('birch'), name: 'Bouleau & Fils', language: 'fr', mail: 'info@birch.example' },
  { id: customerId('cedar'), name: 'Cedro S.A.', language: 'es', mail: 'hola@cedar.example' },
]

export const FINDING: Finding = {
  atMs: START_MS,
  node: pve3,
  part: 'FAN3',
  level: 'drain-advised',
  class: 'intermittent',
  confidence: 0.97,
  episodes: 4,
  windowS: 111_600,
  expectedFalseAlarmsPer100PartYears: 0.4,
  text: 'FAN3 of pve3 dropped out 4 times in 31 h',
}

/** An event and the minute at which it is written. */
export type Timed = readonly [minute: number, event: Event]

export function rowsOf(events: readonly Timed[], sha256: Sha256): readonly JournalRow[] {
  let prevHash = CHAIN_START
  return events.map(([minute, event], index) => {
    const row = {
      maintenance: maintenanceId('mnt-2026-11-03-pve3'),
      seq: index + 1,
      key: `step-${index}`,
      atMs: START_MS + Math.round(minute * MINUTE),
      event,
      prevHash,
    }
    prevHash = hashOfRow(row, sha256)
    return { ...row, hash: prevHash }
  })
}

export function origin(id: number, name: string, customer: string, kind: 'vm' | 'ct' = 'vm'): Origin {
  return { vmid: vmid(id), name, kind, node: pve3, status: 'running', customer: customerId(customer) }
}

export type Way = {
  readonly guest: Vmid
  readonly minute: number
  readonly home?: boolean
  readonly mode?: MoveMode
  readonly measured?: Measured
  readonly fails?: boolean
}

export function move({ guest, minute, home = false, mode = 'live', measured, fails = false }: Way): readonly Timed[] {
  const act = {
    kind: 'migrate',
    guest,
    from: home ? pve1 : pve3,
    to: home ? pve3 : pve1,
    mode,
    purpose: home ? 'home' : 'drain',
  } as const
  const outcome = fails
    ? ({ is: 'failed', text: 'migration aborted' } as const)
    : ({ is: 'done', ...(measured !== undefined && { measured }) } as const)
  return [
    [minute, { kind: 'intends', act }],
    [minute + 0.5, { kind: 'did', act, outcome }],
  ]
}

export function reading(guest: Vmid, lostCount: number, longestGapMs: number): ProbeReading {
  const fromMs = START_MS - 10 * MINUTE
  const toMs = START_MS + 130 * MINUTE
  const intervalMs = 100
  const sentCount = (toMs - fromMs) / intervalMs
  return {
    is: 'measured',
    guest,
    fromMs,
    toMs,
    intervalMs,
    sentCount,
    lostCount,
    longestGapMs,
    longestGapAtMs: START_MS,
  }
}

const WORK_ORDER: WorkOrder = {
  id: order,
  node: pve3,
  place: { site: 'MAD1', room: '2', rack: 'c', unit: '17', serial: 'SN-3' },
  part: 'FAN3',
  why: 'FAN3 drops out',
  checklist: ['clean', 'check the connector'],
  powerNote: 'stays off',
  answerBeforeMs: START_MS + 480 * MINUTE,
  round: 1,
}

const ORIGINS: readonly Origin[] = [
  origin(101, 'acorn-web', 'acorn'),
  origin(102, 'acorn-db', 'acorn'),
  origin(103, 'acorn-cron', 'acorn', 'ct'),
  origin(201, 'birch-shop', 'birch'),
  origin(301, 'cedar-mail', 'cedar'),
  origin(302, 'cedar-files', 'cedar'),
]
const [web, db, cron, shop, mail, files] = [101, 102, 103, 201, 301, 302].map(vmid) as [
  Vmid,
  Vmid,
  Vmid,
  Vmid,
  Vmid,
  Vmid,
]

const opening: readonly Timed[] = [
  [0, { kind: 'maintenance-opened', node: pve3, finding: FINDING, requestedBy: 'operator' }],
  [0, { kind: 'origins-recorded', origins: ORIGINS }],
]

/** All goes well, but for one pause that the hypervisor did not tell and one prober that was down. */
export const GOOD_NIGHT: readonly Timed[] = [
  ...opening,
  ...move({ guest: web, minute: 5, measured: { blackoutMs: 48 } }),
  ...move({ guest: db, minute: 6, measured: { blackoutMs: 62 } }),
  ...move({ guest: cron, minute: 7, mode: 'restart' }),
  ...move({ guest: shop, minute: 8, measured: { blackoutMs: 35 } }),
  ...move({ guest: mail, minute: 9 }),
  ...move({ guest: files, minute: 10 }),
  [20, { kind: 'did', act: { kind: 'set-noout', node: pve3, scope: 'host' }, outcome: { is: 'done' } }],
  [22, { kind: 'node-off', node: pve3, provenBy: 'bmc' }],
  [23, { kind: 'work-order-issued', order: WORK_ORDER }],
  [
    62,
    {
      kind: 'work-order-answered',
      answer: {
        order,
        by: 'Ana Ruiz',
        serial: 'SN-3',
        outcome: 'repaired',
        found: 'Dust in FAN3; its connector on the fan bus was loose.',
        did: ['Cleaned all six fans', 'Reseated the connector', 'Swapped FAN3'],
        photos: [],
      },
    },
  ],
  [66, { kind: 'node-on', node: pve3, by: 'us' }],
  [82, { kind: 'verified', node: pve3, evidence: ['fans in band for 15 min'] }],
  [85, { kind: 'did', act: { kind: 'clear-noout', node: pve3, scope: 'host' }, outcome: { is: 'done' } }],
  ...move({ guest: web, minute: 90, home: true, measured: { blackoutMs: 51 } }),
  ...move({ guest: db, minute: 91, home: true }),
  ...move({ guest: cron, minute: 92, home: true, mode: 'restart' }),
  ...move({ guest: shop, minute: 93, home: true, measured: { blackoutMs: 41 } }),
  ...move({ guest: mail, minute: 94, home: true }),
  ...move({ guest: files, minute: 95, home: true }),
  [
    120,
    {
      kind: 'probe-read',
      customer: customerId('acorn'),
      readings: [reading(web, 0, 0), reading(db, 2, 200), reading(cron, 48, 4800)],
    },
  ],
  [120, { kind: 'probe-read', customer: customerId('birch'), readings: [reading(shop, 0, 0)] }],
  [
    120,
    {
      kind: 'probe-read',
      customer: customerId('cedar'),
      readings: [{ is: 'unmeasured', guest: mail, reason: 'prober was down' }],
    },
  ],
  [121, { kind: 'maintenance-ended', ending: 'done', text: 'done' }],
]

/** A move fails, a pause is too long, the technician writes others' names, and an undo gets stuck. */
export const BAD_NIGHT: readonly Timed[] = [
  ...opening,
  ...move({ guest: web, minute: 5, measured: { blackoutMs: 1840 } }),
  [5.6, { kind: 'pause-over-budget', guest: web, blackoutMs: 1840, budgetMs: 1000 }],
  ...move({ guest: db, minute: 7, fails: true }),
  ...move({ guest: shop, minute: 8, fails: true }),
  [9, { kind: 'did', act: { kind: 'set-noout', node: pve3, scope: 'host' }, outcome: { is: 'done' } }],
  [10, { kind: 'work-order-issued', order: WORK_ORDER }],
  [
    50,
    {
      kind: 'work-order-answered',
      answer: {
        order,
        by: 'Ana Ruiz',
        serial: 'SN-3',
        outcome: 'cannot',
        found: 'No spare left; the last went to Cedro S.A. (guest 301, cedar-mail).',
        did: [],
        photos: [],
      },
    },
  ],
  [55, { kind: 'undo-failed', name: 'bring acorn-web home', text: 'no quorum' }],
  [56, { kind: 'maintenance-ended', ending: 'stuck', text: 'acorn-web did not come home' }],
]
