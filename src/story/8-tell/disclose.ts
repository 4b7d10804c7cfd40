/** What of the journal one customer may see: named kind by kind and field by field; what is not named stays hidden. */
import type { Act } from '#domain/act'
import type { Event, JournalRow } from '#domain/event'
import type { CustomerId, Vmid } from '#domain/ids'
import type { Part } from '#domain/seal'
import { readingId, sampleId } from './guest-story.ts'
import type { Redact } from './redact.ts'

/** Samples hold the figures that somebody measured; they are shown apart from their entry, each by itself. */
export type Disclosure = {
  readonly shows: (part: Part) => boolean
  readonly samples: readonly { readonly id: string; readonly shows: (part: Part) => boolean }[]
}

type Own = { readonly customer: CustomerId; readonly guests: ReadonlySet<Vmid>; readonly redact: Redact }

const HEAD = ['/maintenance', '/seq', '/atMs', '/event/kind']

/** Of events that speak of the node and name nobody's guests. */
const OF_THE_NODE: Partial<Record<Event['kind'], readonly string[]>> = {
  'maintenance-opened': ['node', 'finding/part', 'finding/class', 'finding/episodes', 'finding/windowS'],
  'lease-held': [],
  'lease-released': ['heldMs'],
  'node-off': ['node', 'provenBy'],
  'node-on': ['node', 'by'],
  'work-order-issued': ['order/id'],
  'work-order-answered': ['answer/order', 'answer/by', 'answer/outcome', 'answer/found', 'answer/did'],
  verified: ['node'],
  'verification-failed': ['node'],
  'maintenance-ended': ['ending'],
}

/** undefined: nothing of this row concerns him. A text that names others stays hidden whole. */
export function disclosureOf({ seq, event }: JournalRow, own: Own): Disclosure | undefined {
  const [fields, samples] = fieldsOf(event, own) ?? []
  if (fields === undefined || samples === undefined) return undefined
  const isClean = ({ value }: Part) => typeof value !== 'string' || own.redact(value) === value
  const isBelow = (roots: readonly string[]) => (part: Part) =>
    roots.some((root) => part.at === root || part.at.startsWith(`${root}/`)) && isClean(part)
  const roots = [...HEAD, ...fields.map((field) => `/event/${field}`)]
  return {
    shows: isBelow(roots),
    samples: samples.map(({ idIn, field }) => ({ id: idIn(seq), shows: isBelow([`/event/${field}`]) })),
  }
}

type SampleField = { readonly idIn: (seq: number) => string; readonly field: string }
type Fields = readonly [fields: readonly string[], samples: readonly SampleField[]]

function fieldsOf(event: Event, own: Own): Fields | undefined {
  const ofTheNode = OF_THE_NODE[event.kind]
  if (ofTheNode !== undefined) return [ofTheNode, []]
  switch (event.kind) {
    case 'origins-recorded':
      return ownItems('origins', event.origins, ({ customer }) => customer === own.customer)
    case 'intends':
      return isOwnMove(event.act, own) ? [['act'], []] : undefined
    case 'did':
      return didFields(event, own)
    case 'pause-over-budget':
      if (!own.guests.has(event.guest)) return undefined
      return [['guest', 'budgetMs'], [{ idIn: (seq) => sampleId(seq, event.guest), field: 'blackoutMs' }]]
    case 'guest-moved-by-others':
      return own.guests.has(event.guest) ? [['guest', 'from', 'to'], []] : undefined
    case 'probe-read':
      return readingFields(event, own)
    default:
      return undefined
  }
}

function ownItems<T>(name: string, items: readonly T[], isOwn: (item: T) => boolean): Fields | undefined {
  const fields = items.flatMap((item, index) => (isOwn(item) ? [`${name}/#${index}`] : []))
  return fields.length === 0 ? undefined : [fields, []]
}

const isOwnMove = (act: Act, { guests }: Own) => act.kind === 'migrate' && guests.has(act.guest)

function didFields({ act, outcome }: Extract<Event, { kind: 'did' }>, own: Own): Fields | undefined {
  if (act.kind === 'set-noout' || act.kind === 'clear-noout') return [['act', 'outcome/is'], []]
  if (act.kind !== 'migrate' || !isOwnMove(act, own)) return undefined
  const isMeasured = outcome.is !== 'failed' && typeof outcome.measured === 'object'
  const field = 'outcome/measured'
  return [
    ['act', 'outcome/is', 'outcome/at', ...(isMeasured ? [] : [field])],
    isMeasured ? [{ idIn: (seq) => sampleId(seq, act.guest), field }] : [],
  ]
}

function readingFields({ customer, readings }: Extract<Event, { kind: 'probe-read' }>, own: Own): Fields | undefined {
  if (customer !== own.customer) return undefined
  const placed = readings.map((reading, index) => ({ reading, field: `readings/#${index}` }))
  const mine = placed.filter(({ reading }) => own.guests.has(reading.guest))
  const unmeasured = mine.filter(({ reading }) => reading.is === 'unmeasured').map(({ field }) => field)
  const measured = mine
    .filter(({ reading }) => reading.is === 'measured')
    .map(({ reading, field }): SampleField => ({ idIn: (seq) => readingId(seq, reading), field }))
  return [['customer', ...unmeasured], measured]
}
