/**
 * Events of a BMC's EventService, by a stream that we hold open or by its calls to us. An event says only "look now": events are
 * best effort (DSP0266), the log is the truth, so those that are lost, late or told twice do no harm.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { limiter } from '#drivers/exec/limiter'
import { type Asker, members, read, rootOf } from './asker.ts'
import { eventStream } from './event-stream.ts'
import { type PushListen, pushListener } from './push-listener.ts'
import { link } from './resources.ts'

export type EventWay = { readonly is: 'sse' } | ({ readonly is: 'push' } & PushListen)

export type EventOptions = {
  readonly askers: readonly Asker[]
  readonly way: EventWay
  readonly onEvent: (node: NodeName) => void
  readonly log: (text: string) => void
  /** How soon a broken stream is opened again at first, and how often we look whether a BMC forgot our subscription. */
  readonly againMs?: number
  readonly lookEveryMs?: number
}

export type Events = {
  /** Where BMCs push to; undefined for streams. */
  readonly url: string | undefined
  /** Ends the streams and deletes our subscriptions. */
  close(): Promise<void>
}

const AGAIN_MS = 1_000
const AGAIN_CEILING_MS = 60_000
/** A BMC that was started anew has forgotten us. Until we see it, the regular polls go on as ever. */
const LOOK_EVERY_MS = 300_000
/** A fleet is subscribed to by and by: each BMC answers some five calls. */
const AT_ONCE = 16

export async function listenForEvents(options: EventOptions): Promise<Events> {
  const { askers, way, onEvent } = options
  const quit = new AbortController()
  const turn = limiter(AT_ONCE)
  if (way.is === 'sse') {
    const following = askers.map((asker) => follow(asker, options, quit.signal))
    return {
      url: undefined,
      close: async () => {
        quit.abort()
        await Promise.all(following)
      },
    }
  }
  const listener = await pushListener(way, (name) => {
    const asker = askers.find(({ node }) => node === name)
    if (asker !== undefined) onEvent(asker.node)
  })
  const keeping = askers.map((asker) =>
    keepSubscribed(asker, { ...options, ...listener.of(asker.node), turn }, quit.signal),
  )
  return {
    url: listener.url,
    close: async () => {
      quit.abort()
      await Promise.all(keeping)
      await listener.close()
    },
  }
}

const eventService = z.object({ ServerSentEventUri: z.string().nullish(), Subscriptions: link.nullish() })

async function serviceOf(asker: Asker, doing: string) {
  const { EventService } = await rootOf(asker)
  return EventService ? read(asker, doing, EventService['@odata.id'], eventService) : undefined
}

const pause = (ms: number, quit: AbortSignal) =>
  sleep(ms, undefined, { signal: quit, ref: false }).catch(() => undefined)

/** Until `quit`; a BMC that offers no stream is left to the polls. */
async function follow(asker: Asker, options: EventOptions, quit: AbortSignal): Promise<void> {
  const { onEvent, log, againMs = AGAIN_MS } = options
  const doing = 'follow its events'
  let waitMs = againMs
  while (!quit.aborted) {
    try {
      const uri = (await serviceOf(asker, doing))?.ServerSentEventUri
      if (!uri) return log(`${asker.node}’s BMC offers no event stream: it is polled as before`)
      let isOpen = false
      const feed = eventStream(() => onEvent(asker.node))
      await asker.client.stream(
        doing,
        uri,
        (chunk) => {
          // What happened while nobody listened stands in the log.
          if (!isOpen) onEvent(asker.node)
          isOpen = true
          waitMs = againMs
          feed(chunk)
        },
        quit,
      )
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
    }
    await pause(waitMs, quit)
    waitMs = Math.min(2 * waitMs, AGAIN_CEILING_MS)
  }
}

type Keeping = EventOptions & {
  readonly destination: string
  readonly context: string
  readonly turn: ReturnType<typeof limiter>
}

async function keepSubscribed(asker: Asker, keeping: Keeping, quit: AbortSignal): Promise<void> {
  const { onEvent, log, turn, lookEveryMs = LOOK_EVERY_MS } = keeping
  let ours: string | undefined
  while (!quit.aborted) {
    try {
      const found = await turn(() => subscribe(asker, keeping))
      if (found === undefined) return log(`${asker.node}’s BMC takes no subscriptions: it is polled as before`)
      if (found.isNew) onEvent(asker.node)
      ours = found.place
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      log(`events are not subscribed to: ${error.message}`)
    }
    await pause(lookEveryMs, quit)
  }
  if (ours === undefined) return
  await turn(() => asker.client.delete('end our subscription', ours ?? '')).catch(() => undefined)
}

const subscription = z.object({
  '@odata.id': z.string(),
  Destination: z.string().nullish(),
  Context: z.string().nullish(),
})

/** Ours, made where it is missing. One to our address with another context is of an earlier process of ours: deleted. */
async function subscribe(asker: Asker, { destination, context }: Keeping) {
  const doing = 'subscribe to its events'
  const list = (await serviceOf(asker, doing))?.Subscriptions?.['@odata.id']
  if (list === undefined) return undefined
  const toUs = (await members(asker, doing, list, subscription)).filter(
    ({ Destination }) => Destination === destination,
  )
  const [ours] = toUs.filter(({ Context }) => Context === context)
  for (const old of toUs) if (old !== ours) await asker.client.delete(doing, old['@odata.id'])
  if (ours !== undefined) return { place: ours['@odata.id'], isNew: false }
  const wish = { Destination: destination, Context: context, Protocol: 'Redfish' }
  // Required by older services, and refused by some newer ones, which deprecated it.
  const made = await asker.client
    .post(doing, list, { ...wish, EventTypes: ['Alert'] })
    .catch(() => asker.client.post(doing, list, wish))
  return { place: made, isNew: true }
}
