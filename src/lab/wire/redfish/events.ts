/** The EventService of one simulated BMC: subscriptions that it pushes to, and streams. It forgets all of them when it is started anew. */
import type { ServerResponse } from 'node:http'
import { Agent, request } from 'undici'
import type { SelRecord, WorldNode } from '#lab/world/state'
import { type Entry, entriesOf } from './log-entries.ts'
import type { Paths, RedfishResource } from './resources.ts'
import type { Vendor } from './vendors.ts'

export type Subscription = { readonly id: string; readonly destination: string; readonly context: string }

export type EventService = {
  readonly subscriptions: Map<string, Subscription>
  subscribe(body: unknown): Subscription | undefined
  stream(response: ServerResponse): void
  close(): Promise<void>
}

/** Real time: events come in real time, whatever the world's clock does. */
const LOOK_EVERY_MS = 50
const SEND_LIMIT_MS = 2_000
const SUBSCRIPTIONS_LIMIT = 16

/** `chassis`: whoever answers at this BMC's address now; undefined while it does not answer. */
export function eventService(options: {
  readonly vendor: Vendor
  readonly paths: Paths
  readonly chassis: () => WorldNode | undefined
  readonly onReset: () => void
}): EventService {
  const { vendor, paths, chassis, onReset } = options
  const subscriptions = new Map<string, Subscription>()
  const streams = new Set<ServerResponse>()
  // The listener has a certificate of its own, and a BMC has no way to know it.
  const agent = new Agent({ connect: { rejectUnauthorized: false } })
  let told = markOf(chassis())
  let nextId = 1
  const timer = setInterval(look, LOOK_EVERY_MS)
  timer.unref()

  function look() {
    const node = chassis()
    if (node === undefined) return
    const now = markOf(node)
    if (now.resetAtMs !== told.resetAtMs) {
      subscriptions.clear()
      onReset()
      for (const stream of streams) stream.destroy()
    }
    const fresh = now.epoch === told.epoch ? node.bmc.sel.filter(({ id }) => id > told.lastId) : node.bmc.sel
    told = now
    if (fresh.length > 0 && subscriptions.size + streams.size > 0) tell(fresh)
  }
  function tell(fresh: readonly SelRecord[]) {
    const entries = entriesOf(vendor, fresh)
    for (const entry of vendor.repeatsEvents ? [...entries, ...entries] : entries) {
      for (const stream of streams) stream.write(`id: ${nextId}\ndata: ${JSON.stringify(eventOf(entry))}\n\n`)
      for (const one of subscriptions.values()) void push(agent, one, eventOf(entry))
      nextId++
    }
  }
  return {
    subscriptions,
    subscribe: (body) => {
      const asked = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {}
      const { Destination, Context, Protocol } = asked
      if (typeof Destination !== 'string' || !URL.canParse(Destination) || Protocol !== 'Redfish') return undefined
      if (subscriptions.size >= SUBSCRIPTIONS_LIMIT) return undefined
      const one = { id: String(nextId++), destination: Destination, context: String(Context ?? '') }
      subscriptions.set(one.id, one)
      return one
    },
    stream: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
      response.write(': stream keep-alive\n\n')
      streams.add(response)
      response.on('close', () => streams.delete(response))
    },
    close: async () => {
      clearInterval(timer)
      await agent.destroy()
    },
  }

  function eventOf({ Id, Created, Severity, Message, MessageId }: Entry): RedfishResource {
    const OriginOfCondition = { '@odata.id': `${paths.log}/Entries/${Id}` }
    const one = { EventId: String(nextId), EventTimestamp: Created, Severity, Message, MessageId, OriginOfCondition }
    return { '@odata.type': '#Event.v1_7_0.Event', Id: String(nextId), Name: 'Event Array', Events: [one] }
  }
}

const markOf = (node: WorldNode | undefined) => ({
  lastId: node?.bmc.sel.at(-1)?.id ?? 0,
  epoch: node?.bmc.selEpoch,
  resetAtMs: node?.bmc.resetAtMs,
})

/** Best effort, as at a real one: what nobody takes is lost. */
async function push(agent: Agent, { destination, context }: Subscription, event: RedfishResource): Promise<void> {
  const sent = request(destination, {
    method: 'POST',
    dispatcher: agent,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...event, Context: context }),
    signal: AbortSignal.timeout(SEND_LIMIT_MS),
  })
  await sent.then(({ body }) => body.dump()).catch(() => undefined)
}

export function eventResource(vendor: Vendor, paths: Paths, events: EventService, path: string) {
  const list = `${paths.events}/Subscriptions`
  const of = (place: string) => ({ '@odata.id': `${place}${vendor.slash}` })
  if (path === paths.events) {
    return {
      ...of(path),
      '@odata.type': '#EventService.v1_9_0.EventService',
      Id: 'EventService',
      ServiceEnabled: true,
      EventFormatTypes: ['Event'],
      Subscriptions: of(list),
      ...(vendor.sendsStream ? { ServerSentEventUri: `${paths.events}/SSE` } : {}),
    }
  }
  if (path === list) {
    const Members = [...events.subscriptions.keys()].map((id) => of(`${list}/${id}`))
    return { ...of(path), Members, 'Members@odata.count': Members.length }
  }
  const one = path.startsWith(`${list}/`) ? events.subscriptions.get(path.slice(list.length + 1)) : undefined
  if (one === undefined) return undefined
  const { id, destination, context } = one
  return { ...of(path), Id: id, Destination: destination, Context: context, Protocol: 'Redfish' }
}
