/**
 * What Alertmanager posts to a webhook, format version "4", read as alerts of our nodes. Pure.
 * https://prometheus.io/docs/alerting/latest/configuration/#webhook_config; recorded: contracts/recordings/prometheus.
 */
import { z } from 'zod'
import type { NodeName } from '#domain/ids'
import type { PartKind, PartState } from '#domain/signal'
import { kindOf, type Labels, nodeIn, type Placing, partIn } from './placing.ts'

/** One alert of one part of a node of ours, as it is kept until the watch reads it. */
export type KeptAlert = {
  /** The same fingerprint, beginning and status: the same alert, however often it is sent. */
  readonly key: string
  readonly fingerprint: string
  readonly status: 'firing' | 'resolved'
  /** Prometheus' clock. */
  readonly startsAtMs: number
  readonly endsAtMs?: number
  /** Ours. */
  readonly receivedAtMs: number
  readonly node: NodeName
  readonly part: string
  readonly kind: PartKind
  readonly state: Exclude<PartState, 'ok'>
  readonly value?: number
  readonly unit?: string
}

/** An alert that is of no use to us, and why. */
export type Unplaced = { readonly alert: string; readonly why: 'no node of ours' | 'names no part' | 'cannot be read' }

export type Webhook =
  | {
      readonly is: 'alerts'
      readonly alerts: readonly KeptAlert[]
      readonly unplaced: readonly Unplaced[]
      /** Alertmanager's own `max_alerts` left so many out. */
      readonly truncatedCount: number
      /** The furthest that an alert begins after our own now; 0 where none does. */
      readonly aheadMs: number
    }
  | { readonly is: 'unreadable'; readonly faults: readonly { readonly path: string; readonly text: string }[] }

const envelope = z.object({
  version: z.literal('4', 'only version "4" of Alertmanager’s format is read'),
  alerts: z.array(z.unknown()).min(1, 'there is no alert in it'),
  truncatedAlerts: z.number().int().nonnegative().catch(0),
})

const TEXT_LIMIT = 300
const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))
/** PostgreSQL keeps no NUL and no half of a pair. */
const storable = (text: string) => text.toWellFormed().replaceAll('\0', '\ufffd')
const texts = z.record(z.string(), z.string().transform(storable))
const alertSchema = z.object({
  status: z.enum(['firing', 'resolved']),
  labels: texts,
  annotations: texts.catch({}),
  startsAt: time,
  endsAt: time.optional().catch(undefined),
  fingerprint: z.string().min(1).max(TEXT_LIMIT).transform(storable).optional(),
})

export function readWebhook(body: unknown, placing: Placing, receivedAtMs: number): Webhook {
  const parsed = envelope.safeParse(body)
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => ({
      path: path.join('.') || '(all of it)',
      text: message,
    }))
    return { is: 'unreadable', faults }
  }
  const read = parsed.data.alerts.map((alert) => readAlert(alert, placing, receivedAtMs))
  const alerts = read.filter((one) => 'key' in one)
  return {
    is: 'alerts',
    alerts,
    unplaced: read.filter((one) => 'why' in one),
    truncatedCount: parsed.data.truncatedAlerts,
    aheadMs: Math.max(0, ...alerts.map(({ startsAtMs }) => startsAtMs - receivedAtMs)),
  }
}

function readAlert(value: unknown, placing: Placing, receivedAtMs: number): KeptAlert | Unplaced {
  const parsed = alertSchema.safeParse(value)
  if (!parsed.success) return { alert: nameOf(value), why: 'cannot be read' }
  const { labels, annotations, status, startsAt, endsAt } = parsed.data
  const node = nodeIn(labels, placing)
  const part = partIn(labels, placing)
  const alert = describe(labels)
  if (node === undefined) return { alert, why: 'no node of ours' }
  if (part === undefined) return { alert, why: 'names no part' }
  const fingerprint = parsed.data.fingerprint ?? ownFingerprint(labels)
  const measured = Number(annotations.value === '' ? Number.NaN : annotations.value)
  return {
    key: `${fingerprint} ${startsAt} ${status}`,
    fingerprint,
    status,
    startsAtMs: startsAt,
    ...(status === 'resolved' && endsAt !== undefined && endsAt >= startsAt ? { endsAtMs: endsAt } : {}),
    receivedAtMs,
    node,
    part: part.slice(0, TEXT_LIMIT),
    kind: kindIn(labels, part),
    state: stateIn(labels),
    ...(Number.isFinite(measured) ? { value: measured } : {}),
    ...(annotations.unit === undefined ? {} : { unit: annotations.unit.slice(0, TEXT_LIMIT) }),
  }
}

const KIND_NAMES = ['fan', 'psu', 'temperature', 'memory', 'disk', 'link', 'other'] as const
const STATE_NAMES = ['warning', 'critical', 'non-recoverable', 'absent', 'unreadable'] as const

const kindIn = (labels: Labels, part: string): PartKind =>
  KIND_NAMES.find((kind) => kind === labels.kind) ?? kindOf([labels.type, labels.alertname, part, labels.__name__])

/** What names no severity that we know is a warning: it counts half. */
function stateIn({ state, severity = '' }: Labels): KeptAlert['state'] {
  const own = STATE_NAMES.find((one) => one === state)
  if (own !== undefined) return own
  return /^(critical|crit|page|error|emergency|fatal)$/i.test(severity) ? 'critical' : 'warning'
}

/** Alertmanager before 0.19 sent none. */
const ownFingerprint = (labels: Labels) =>
  Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
    .slice(0, TEXT_LIMIT)

const describe = ({ alertname = 'an alert without a name', instance }: Labels) =>
  `${alertname}${instance === undefined ? '' : ` of ${instance}`}`.slice(0, TEXT_LIMIT)

function nameOf(value: unknown): string {
  const labels = z.object({ labels: texts }).safeParse(value)
  return labels.success ? describe(labels.data.labels) : 'an alert without labels'
}
