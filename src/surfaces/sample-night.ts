/** A night as its journal tells it, for tests of the surfaces: the fan of pve3, from the finding to the report. Not a simulation. */
import { createHash } from 'node:crypto'
import type { ControlPlane, MaintenanceHead, StartOutcome } from '#app/control-plane'
import { reporting } from '#app/reporting'
import type { Act } from '#domain/act'
import type { Event, JournalRow } from '#domain/event'
import type { Finding } from '#domain/finding'
import {
  clusterName,
  customerId,
  type MaintenanceId,
  maintenanceId,
  nodeName,
  planId,
  vmid,
  workOrderId,
} from '#domain/ids'
import { CHAIN_START, hashOfRow } from '#domain/journal-chain'
import type { ControlMessage, Stage, WorkOrder, WorkOrderAnswer } from '#domain/maintenance'
import type { Sha256 } from '#domain/merkle'
import { DEFAULT_FORECAST_MODEL, type Plan } from '#domain/plan'
import { viewOf } from '#domain/view'

const GIB = 2 ** 30
export const NIGHT = maintenanceId('pve3-fan3')
const NIGHT_STARTS_AT_MS = Date.UTC(2026, 2, 4, 9, 0, 0)
const node = nodeName('pve3')
const [pve1, pve2] = [nodeName('pve1'), nodeName('pve2')]

const nightFinding: Finding = {
  atMs: NIGHT_STARTS_AT_MS - 60_000,
  node,
  part: 'FAN3',
  level: 'drain-advised',
  class: 'intermittent',
  confidence: 0.97,
  episodes: 4,
  windowS: 111_600,
  expectedFalseAlarmsPer100PartYears: 0.5,
  text: 'FAN3 of pve3 dropped out 4 times in 31 h, 30 s each, and came back by itself',
}

const guests = [
  { vmid: vmid(101), name: 'acorn-shop', kind: 'vm', customer: customerId('acorn'), to: pve1, blackoutMs: 62 },
  { vmid: vmid(102), name: 'birch-db', kind: 'vm', customer: customerId('birch'), to: pve2, blackoutMs: 148 },
  { vmid: vmid(103), name: 'cedar-mail', kind: 'ct', customer: customerId('cedar'), to: pve1, blackoutMs: 4200 },
] as const

const nightPlan: Plan = {
  id: planId('plan-1'),
  revision: 1,
  observedAtMs: NIGHT_STARTS_AT_MS,
  drain: [node],
  feasible: true,
  moves: guests.map((guest, index) => ({
    step: 1,
    guest: guest.vmid,
    from: node,
    to: guest.to,
    mode: guest.kind === 'vm' ? 'live' : 'restart',
    purpose: 'drain',
    startsAtS: index * 12,
    endsAtS: index * 12 + 14,
    forecastBlackoutMs: 60,
  })),
  stays: [],
  makespanS: 38,
  lowerBoundS: 31.5,
  bytesMoved: 40 * GIB,
  parallelMigrations: 2,
  model: DEFAULT_FORECAST_MODEL,
  after: [],
  spare: { nodesThatMayFail: 1 },
  blockers: [
    {
      kind: 'migration-network-is-corosync',
      text: 'the migration network is a corosync link',
      lifts: 'a network of its own, or an approver who accepts a bandwidth limit',
    },
  ],
  notes: ['pve3 runs kernel 6.14.8-2; 6.14.11-1 is installed and starts with the next boot'],
  wayHome: [],
}

const nightOrder: WorkOrder = {
  id: workOrderId('wo-1'),
  node,
  place: { site: 'mad1', room: '2', rack: 'c', unit: '17', serial: 'CZ3-0417', assetTag: 'A-0093' },
  part: 'FAN3',
  why: 'It drops out for 30 s at a time and comes back: look at the fan, the fan bus and the connector.',
  checklist: ['Cleaned the fans', 'Checked the fan bus and its connector', 'Reseated FAN3', 'Swapped FAN3'],
  powerNote: 'The node stays off when the cord goes back in; it is switched on from here.',
  answerBeforeMs: NIGHT_STARTS_AT_MS + 8 * 3_600_000,
  round: 1,
}

const moveOf = (guest: (typeof guests)[number], home: boolean): Extract<Act, { kind: 'migrate' }> => ({
  kind: 'migrate',
  guest: guest.vmid,
  from: home ? guest.to : node,
  to: home ? node : guest.to,
  mode: guest.kind === 'vm' ? 'live' : 'restart',
  purpose: home ? 'home' : 'drain',
})

type Moment = readonly [minute: number, event: Event]
const began = (minute: number, stage: Stage): Moment => [minute, { kind: 'stage-began', stage }]
const ended = (minute: number, stage: Stage): Moment => [minute, { kind: 'stage-ended', stage }]
const did = (minute: number, act: Act): readonly Moment[] => [
  [minute, { kind: 'intends', act }],
  [minute, { kind: 'did', act, outcome: { is: 'done' } }],
]

const planning: readonly Moment[] = [
  [0, { kind: 'maintenance-opened', node, finding: nightFinding, requestedBy: 'detect' }],
  began(0, 'detect'),
  [0, { kind: 'finding-confirmed', finding: nightFinding, evidence: '12 SEL records, 4 episodes' }],
  ended(0, 'detect'),
  began(0, 'plan'),
  [
    0,
    {
      kind: 'origins-recorded',
      origins: guests.map((guest) => ({ ...guest, node, status: 'running' as const })),
    },
  ],
  [0, { kind: 'plan-proposed', plan: nightPlan }],
]

const moving: readonly Moment[] = [
  [
    4,
    {
      kind: 'plan-approved',
      plan: nightPlan.id,
      by: 'eva',
      lifted: ['migration-network-is-corosync'],
      reason: 'limited to 4 Gbit/s',
    },
  ],
  ended(4, 'plan'),
  began(4, 'drain'),
  ...did(4, { kind: 'set-maintenance-mode', node, on: true }),
  [5, { kind: 'intends', act: moveOf(guests[0], false) }],
  [5, { kind: 'intends', act: moveOf(guests[1], false) }],
  [6, { kind: 'did', act: moveOf(guests[0], false), outcome: { is: 'done', measured: { blackoutMs: 62 } } }],
  [6, { kind: 'guest-copying', guest: guests[1].vmid, transferredBytes: 7 * GIB, totalBytes: 16 * GIB }],
]

const atGate: readonly Moment[] = [
  [7, { kind: 'did', act: moveOf(guests[1], false), outcome: { is: 'done', measured: { blackoutMs: 148 } } }],
  [7, { kind: 'intends', act: moveOf(guests[2], false) }],
  [8, { kind: 'did', act: moveOf(guests[2], false), outcome: { is: 'done', measured: { blackoutMs: 4200 } } }],
  [8, { kind: 'node-empty', node, looks: 2, apartMs: 25_000 }],
  ended(8, 'drain'),
  began(8, 'isolate'),
  [
    9,
    {
      kind: 'gate-closed',
      stage: 'isolate',
      blockers: [
        {
          kind: 'placement-groups-not-clean',
          text: '3 of 256 PGs are not clean',
          lifts: 'Ceph, when its recovery has ended',
        },
        { kind: 'services-on-node', text: 'an MDS lives on pve3', lifts: 'moving it, or an approver' },
      ],
    },
  ],
]

const repairing: readonly Moment[] = [
  [12, { kind: 'gate-opened', stage: 'isolate', waitedMs: 180_000 }],
  [
    12,
    {
      kind: 'lease-held',
      lease: {
        owner: 'coulisse',
        host: node,
        reason: 'FAN3',
        setAtMs: NIGHT_STARTS_AT_MS + 720_000,
        expiresAtMs: NIGHT_STARTS_AT_MS + 4 * 3_600_000,
        flagsBefore: [],
      },
    },
  ],
  ...did(12, { kind: 'set-noout', node, scope: 'host' }),
  ...did(13, { kind: 'shut-down', node }),
  [15, { kind: 'node-off', node, provenBy: 'bmc' }],
  ...did(15, { kind: 'set-locate', node, on: true }),
  [
    15,
    {
      kind: 'interlock',
      interlock: {
        is: 'safe',
        sinceMs: NIGHT_STARTS_AT_MS + 900_000,
        text: 'pve3 is empty, off by its BMC, its noout lease holds, all other OSDs are up',
      },
    },
  ],
  ended(15, 'isolate'),
  began(15, 'repair'),
  [15, { kind: 'work-order-issued', order: nightOrder }],
]

export const nightAnswer: WorkOrderAnswer = {
  order: nightOrder.id,
  by: 'Tom',
  serial: 'CZ3-0417',
  outcome: 'repaired',
  found: 'dust in the connector of the fan bus',
  did: ['Cleaned the fans', 'Checked the fan bus and its connector'],
  photos: ['connector.jpg'],
}

const returning: readonly Moment[] = [
  [45, { kind: 'work-order-answered', answer: nightAnswer }],
  [45, { kind: 'interlock', interlock: { is: 'not-safe', reasons: ['the node is being switched on'] } }],
  ended(45, 'repair'),
  began(45, 'verify'),
  [46, { kind: 'node-on', node, by: 'us' }],
  [49, { kind: 'soak-began', node, untilMs: NIGHT_STARTS_AT_MS + 64 * 60_000 }],
  [64, { kind: 'verified', node, evidence: ['6 of 6 fans in band for 15 min', 'hardware as before', 'SEL clean'] }],
  ended(64, 'verify'),
  began(64, 'reintegrate'),
  [65, { kind: 'osds-back', node, osds: [4, 5], cleanPgs: 256 }],
  ...did(66, { kind: 'clear-noout', node, scope: 'host' }),
  [66, { kind: 'lease-released', node, heldMs: 54 * 60_000 }],
  ...guests.flatMap((guest, index): readonly Moment[] => [
    [67 + index, { kind: 'intends', act: moveOf(guest, true) }],
    [68 + index, { kind: 'did', act: moveOf(guest, true), outcome: { is: 'done', measured: { blackoutMs: 58 } } }],
  ]),
  ended(70, 'reintegrate'),
  began(70, 'tell'),
  [
    71,
    {
      kind: 'probe-read',
      customer: customerId('acorn'),
      readings: [
        {
          is: 'measured',
          guest: guests[0].vmid,
          fromMs: NIGHT_STARTS_AT_MS,
          toMs: NIGHT_STARTS_AT_MS + 4_200_000,
          intervalMs: 50,
          sentCount: 84_000,
          lostCount: 2,
          longestGapMs: 100,
          longestGapAtMs: NIGHT_STARTS_AT_MS + 360_000,
        },
      ],
    },
  ],
  ...did(71, { kind: 'publish-report', customer: customerId('acorn') }),
  ended(72, 'tell'),
  [72, { kind: 'maintenance-ended', ending: 'done', text: 'pve3 is back, 3 of 3 guests are home' }],
]

/** Where the night stands: what a person sees at that moment. */
export const MOMENTS = {
  'before approval': planning,
  draining: [...planning, ...moving],
  'at a gate': [...planning, ...moving, ...atGate],
  'in repair': [...planning, ...moving, ...atGate, ...repairing],
  over: [...planning, ...moving, ...atGate, ...repairing, ...returning],
} as const

export type NightMoment = keyof typeof MOMENTS

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')

function rowAfter(previous: JournalRow | undefined, atMs: number, event: Event): JournalRow {
  const seq = (previous?.seq ?? 0) + 1
  const row = { maintenance: NIGHT, seq, key: `night/${seq}`, atMs, event, prevHash: previous?.hash ?? CHAIN_START }
  return { ...row, hash: hashOfRow(row, sha256) }
}

export function nightRows(moment: NightMoment): readonly JournalRow[] {
  const rows: JournalRow[] = []
  for (const [minute, event] of MOMENTS[moment]) {
    rows.push(rowAfter(rows.at(-1), NIGHT_STARTS_AT_MS + minute * 60_000, event))
  }
  return rows
}

/** A control plane that only keeps what it is told, and answers as the journal does. */
export class NightControlPlane implements ControlPlane {
  readonly lab = { simulated: true } as const
  readonly sent: { readonly message: ControlMessage | WorkOrderAnswer; readonly key: string }[] = []
  readonly photos: string[] = []
  readonly #rows: JournalRow[]
  readonly #listeners = new Set<(row: JournalRow) => void>()

  constructor(moment: NightMoment) {
    this.#rows = [...nightRows(moment)]
  }

  append(event: Event): void {
    const row = rowAfter(this.#rows.at(-1), this.#nowMs() + 1000, event)
    this.#rows.push(row)
    for (const listener of this.#listeners) listener(row)
  }

  #nowMs(): number {
    return (this.#rows.at(-1)?.atMs ?? NIGHT_STARTS_AT_MS) + 30_000
  }

  async maintenances(): Promise<readonly MaintenanceHead[]> {
    return [{ id: NIGHT, cluster: clusterName('mad1'), view: viewOf(this.#rows) }]
  }

  async maintenance(id: MaintenanceId): Promise<MaintenanceHead | undefined> {
    return (await this.maintenances()).find((head) => head.id === id)
  }

  async journal(id: MaintenanceId, afterSeq: number): Promise<readonly JournalRow[]> {
    return this.#rows.filter(({ maintenance, seq }) => maintenance === id && seq > afterSeq)
  }

  subscribe(listener: (row: JournalRow) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async control(_: MaintenanceId, message: ControlMessage, key: string): Promise<{ readonly is: 'accepted' }> {
    if (this.sent.some((one) => one.key === key)) return { is: 'accepted' }
    this.sent.push({ message, key })
    if (message.kind === 'pause') this.append({ kind: 'paused', by: message.by })
    if (message.kind === 'resume') this.append({ kind: 'resumed', by: message.by })
    return { is: 'accepted' }
  }

  async release(id: MaintenanceId): ReturnType<ControlPlane['release']> {
    return (await this.maintenance(id)) === undefined ? { is: 'unknown-maintenance' } : { is: 'released' }
  }

  async answerWorkOrder(_: MaintenanceId, answer: WorkOrderAnswer, key: string): Promise<{ readonly is: 'accepted' }> {
    if (this.sent.some((one) => one.key === key)) return { is: 'accepted' }
    this.sent.push({ message: answer, key })
    this.append({ kind: 'work-order-answered', answer })
    return { is: 'accepted' }
  }

  async start(): Promise<StartOutcome> {
    return { is: 'refused', text: 'a maintenance runs in cluster mad1', lifts: 'its end' }
  }

  async findings(): Promise<readonly Finding[]> {
    return [nightFinding]
  }

  async report(_: MaintenanceId, customer: string) {
    return customer === 'acorn' ? { path: 'acorn.html', html: '<!doctype html><p>acorn</p>' } : undefined
  }

  readonly #reports = reporting({
    journal: { read: (id, afterSeq) => this.journal(id, afterSeq ?? 0) },
    inventory: {
      hoster: 'Example Hosting',
      simulated: true,
      customer: async (id) => ({ id, name: `The house of ${id}`, language: 'en', timeZone: 'Europe/Madrid' }),
    },
    probe: { read: async () => [] },
    listMaintenances: async () => [NIGHT],
    guests: async () => [],
  })
  readonly reportAs: ControlPlane['reportAs'] = this.#reports.report
  readonly publicDraft: ControlPlane['publicDraft'] = this.#reports.draft
  readonly monthReports: ControlPlane['monthReports'] = this.#reports.month

  async keepPhoto(_: MaintenanceId, photo: { readonly name: string }): Promise<string> {
    this.photos.push(photo.name)
    return photo.name
  }

  async nowMs(): Promise<number> {
    return this.#nowMs()
  }
}
