/** The one renderer of events: a sentence for people, the same in log, terminal, pages and report. */
import type { Blocker } from './blocker.ts'
import type { Event, JournalRow, Origin } from './event.ts'
import { bytesText, countText, durationText, sinceText, timeText } from './figures.ts'
import type { Finding } from './finding.ts'
import type { Interlock, WorkOrder, WorkOrderAnswer } from './maintenance.ts'
import type { ProbeReading } from './measurement.ts'
import type { Plan } from './plan.ts'
import { overText, renderIntent, renderOutcome } from './render-act.ts'

type EventOf<K extends Event['kind']> = Extract<Event, { kind: K }>

/** A key for every kind and no fallback: a new event does not compile until it has its sentence here. */
const SENTENCES: { readonly [K in Event['kind']]: (event: EventOf<K>) => string } = {
  'maintenance-opened': ({ node, finding, requestedBy }) =>
    `${node}: maintenance opened by ${requestedBy}: ${finding.text}`,
  'stage-began': ({ stage }) => `stage ${stage} begins`,
  'stage-ended': ({ stage }) => `stage ${stage} ends`,
  'finding-confirmed': ({ finding, evidence }) => `${findingText(finding)}: ${evidence}`,
  'origins-recorded': ({ origins }) => originsText(origins),
  'plan-proposed': ({ plan }) => planText(plan),
  'plan-approved': ({ plan, by, lifted, reason }) => `plan ${plan}: approved by ${by}${liftedText(lifted, reason)}`,
  'plan-rejected': ({ plan, by, reason }) => `plan ${plan}: rejected by ${by}: ${reason}`,
  'gate-closed': ({ stage, blockers }) => `${stage} waits: ${blockersText(blockers)}`,
  'gate-opened': ({ stage, waitedMs }) => `${stage} goes on, waited ${durationText(waitedMs)}`,
  'blockers-lifted': ({ by, lifted, reason }) => `blockers lifted by ${by}: ${lifted.join(', ')}: ${reason}`,
  paused: ({ by }) => `paused by ${by}: no new move begins`,
  resumed: ({ by }) => `resumed by ${by}`,
  'abort-asked': ({ by, reason }) => `abort asked by ${by}: ${reason}`,
  intends: ({ act }) => renderIntent(act),
  did: ({ act, outcome }) => renderOutcome(act, outcome),
  'guest-copying': ({ guest, transferredBytes, totalBytes }) =>
    `guest ${guest}: copying, ${bytesText(transferredBytes)} of ${bytesText(totalBytes)}`,
  'pause-allowed-grew': ({ guest, allowedMs, budgetMs }) =>
    `guest ${guest}: the hypervisor now allows itself a pause of ${overText(allowedMs, budgetMs)}`,
  'pause-over-budget': ({ guest, blackoutMs, budgetMs }) =>
    `guest ${guest}: paused over budget, blackout ${overText(blackoutMs, budgetMs)}`,
  'guest-appeared': ({ guest, node }) => `guest ${guest}: appeared on ${node}`,
  'guest-moved-by-others': ({ guest, from, to }) => `guest ${guest}: taken from ${from} to ${to} by HA, or by hand`,
  'guest-stays': ({ guest, text }) => `guest ${guest}: stays: ${text}`,
  'node-empty': ({ node, looks, apartMs }) =>
    `${node}: empty, by ${countText(looks, 'look')} ${durationText(apartMs)} apart`,
  'hardware-recorded': ({ node, hardware }) =>
    `${node}: hardware recorded, ${partCountText(hardware.dimms, 'DIMM')}, ${partCountText(hardware.disks, 'disk')}, ${partCountText(hardware.nics, 'NIC')}, ${partCountText(hardware.fans, 'fan')}`,
  'lease-held': ({ lease }) =>
    `${lease.host}: noout lease held by ${lease.owner} until ${timeText(lease.expiresAtMs)} UTC`,
  'lease-released': ({ node, heldMs }) => `${node}: noout lease released, held ${durationText(heldMs)}`,
  'lease-expired': ({ node, expiredAtMs }) =>
    `${node}: noout lease EXPIRED at ${timeText(expiredAtMs)} UTC: a person has to look, nothing was cleared`,
  'noout-lost': ({ node }) => `${node}: noout is gone, and it was not us`,
  'node-off': ({ node, provenBy }) => `${node}: off, proven by the ${provenBy.toUpperCase()}`,
  'node-on': ({ node, by }) => `${node}: on${by === 'us' ? '' : ', by itself'}`,
  'cords-pulled': ({ node }) => `${node}: BMC went dark while node and OSDs stay down: cords pulled, still safe`,
  interlock: ({ interlock }) => interlockText(interlock),
  'work-order-issued': ({ order }) => workOrderText(order),
  'work-order-answered': ({ answer }) => answerText(answer),
  'work-order-refused': ({ order, by, blocker }) =>
    `work order ${order}: answer of ${by} refused: ${blockersText([blocker])}`,
  'soak-began': ({ node, untilMs }) => `${node}: soak until ${timeText(untilMs)} UTC`,
  verified: ({ node, evidence }) => `${node}: verified: ${evidence.join('; ') || 'no evidence named'}`,
  'verification-failed': ({ node, blockers }) => `${node}: verification failed: ${blockersText(blockers)}`,
  'osds-back': ({ node, osds, cleanPgs }) =>
    `${node}: OSDs ${osds.join(', ')} up and in, ${countText(cleanPgs, 'PG')} clean`,
  'probe-read': ({ customer, readings }) => `customer ${customer}: ${readings.map(readingText).join('; ')}`,
  'undo-failed': ({ name, text }) => `could not take back ${name}: ${text}`,
  said: ({ text, about }) => (about === undefined ? text : `${about}: ${text}`),
  'maintenance-ended': ({ ending, text }) => `maintenance ${ending}: ${text}`,
}

/** One sentence: what happened, to what, by how much. */
export function renderEvent(event: Event): string {
  const sentence = SENTENCES[event.kind] as (event: Event) => string
  return sentence(event)
}

/** "+02:13:05  guest 101: runs on pve1, blackout 62 ms": time since the start first, so that nights compare. */
export const renderLogLine = ({ row, startMs }: { row: Pick<JournalRow, 'atMs' | 'event'>; startMs: number }) =>
  `${sinceText(row.atMs, startMs)}  ${renderEvent(row.event)}`

/** "no fresh copy (node-busy; goes away when the backup of 101 ends)" */
const renderBlocker = ({ kind, text, lifts }: Blocker) => `${text} (${kind}; lifted by: ${lifts})`

/** All of them, never only the first. */
function blockersText(blockers: readonly Blocker[]): string {
  return blockers.length === 0 ? 'no blockers' : blockers.map(renderBlocker).join('; ')
}

const LEVELS = {
  watch: 'watch',
  quarantine: 'quarantine',
  'drain-advised': 'drain advised',
  'drain-now': 'drain now',
} as const

function findingText({ node, part, level, confidence, episodes, windowS, cleared }: Finding): string {
  const where = part === 'node' ? node : `${part} of ${node}`
  const sure = `confidence ${Math.round(confidence * 100)} %`
  const seen = episodes > 0 ? `, ${countText(episodes, 'episode')} in ${durationText(windowS * 1000)}` : ''
  return `finding ${cleared ? 'cleared' : 'confirmed'}: ${where}, ${LEVELS[level]}, ${sure}${seen}`
}

function originsText(origins: readonly Origin[]): string {
  const running = origins.filter(({ status }) => status === 'running').length
  return `origins recorded: ${countText(origins.length, 'guest')}, ${running} running`
}

function planText(plan: Plan): string {
  const { id, parent, revision, observedAtMs, moves, makespanS, lowerBoundS, spare, stays, blockers } = plan
  const instead = parent === undefined ? '' : ` in place of ${parent}, as seen at ${timeText(observedAtMs)} UTC`
  const staying =
    stays.length === 0 ? '' : `, ${countText(stays.length, 'guest')} ${stays.length === 1 ? 'stays' : 'stay'}`
  return [
    `plan ${id}, revision ${revision}${instead}: ${countText(moves.length, 'move')}${staying}`,
    `forecast ${durationText(makespanS * 1000)}, no plan is faster than ${durationText(lowerBoundS * 1000)}`,
    `${countText(spare.nodesThatMayFail, 'more node')} may fail afterwards`,
    blockersText(blockers),
  ].join('; ')
}

function liftedText(lifted: readonly string[], reason: string): string {
  const what = lifted.length === 0 ? '' : `, lifting ${lifted.join(', ')}`
  return `${what}${reason === '' ? '' : `: ${reason}`}`
}

const partCountText = (parts: readonly unknown[] | 'unknown', one: string) =>
  parts === 'unknown' ? `${one}s unknown` : countText(parts.length, one)

function interlockText(interlock: Interlock): string {
  return interlock.is === 'safe'
    ? `safe to touch: ${interlock.text}`
    : `NOT safe to touch: ${interlock.reasons.join('; ') || 'nothing is proven'}`
}

/** "mad1, room 2, rack b, unit 17" */
export const placeText = ({ site, room, rack, unit }: WorkOrder['place']) =>
  `${site}, room ${room}, rack ${rack}, unit ${unit}`

function workOrderText({ id, node, place, part, why, round, answerBeforeMs }: WorkOrder): string {
  const again = round > 1 ? `, round ${round}` : ''
  return `work order ${id}${again}: ${part === 'node' ? node : `${part} of ${node}`} (${placeText(place)}, serial ${place.serial}): ${why}; answer before ${timeText(answerBeforeMs)} UTC`
}

const OUTCOMES = {
  repaired: 'repaired',
  'nothing-found': 'nothing found',
  cannot: 'cannot be repaired now',
} as const

function answerText({ order, by, outcome, found, did, photos }: WorkOrderAnswer): string {
  const work = did.length === 0 ? '' : `; did: ${did.join(', ')}`
  const pictures = photos.length === 0 ? '' : `; ${countText(photos.length, 'photo')}`
  return `work order ${order}: ${OUTCOMES[outcome]}, by ${by}: ${found || 'nothing noted'}${work}${pictures}`
}

function readingText(reading: ProbeReading): string {
  if (reading.is === 'unmeasured') return `guest ${reading.guest} unmeasured (${reading.reason})`
  const { guest, lostCount, sentCount, longestGapMs, intervalMs } = reading
  const gap = lostCount === 0 ? 'no answer lost' : `longest gap ${durationText(longestGapMs)}, ${lostCount} lost`
  return `guest ${guest} ${gap} of ${sentCount}, one every ${durationText(intervalMs)}`
}
