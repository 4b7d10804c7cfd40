/** Proxmox VE's API over several entry points: few calls at once, a deadline on each, GETs repeated, writes never. */
import { setTimeout as pause } from 'node:timers/promises'
import type { z } from 'zod'
import { DriverError, type Retry } from '#domain/driver-error'
import { limiter } from './limiter.ts'
import { parseAnswer, type Refusal, type Reply } from './schema.ts'
import { type EntryPoint, type Method, type Params, type Transport, tlsTransport } from './transport.ts'
import { clusterStatus } from './wire.ts'

export type Call = {
  /** In the words of the person who reads it at 3 a.m. */
  readonly doing: string
  readonly path: string
  readonly params?: Params
  /** Never through this node's own API: it is being drained, or it is the one that we ask about. */
  readonly avoid?: string
}

export type ProxmoxClient = {
  /** Refusals (400, 401, 403, 500, 501) as values; DriverError when nobody answered properly. */
  ask<T>(schema: z.ZodType<T>, call: Call): Promise<Reply<T>>
  /** As ask, with a refusal as DriverError. */
  get<T>(schema: z.ZodType<T>, call: Call): Promise<T>
  /** Once, and never again: after a lost answer the error says that it may have been carried out. */
  write<T>(method: Exclude<Method, 'GET'>, schema: z.ZodType<T>, call: Call): Promise<T>
  close(): Promise<void>
}

/** Three worker processes serve a node's API: more calls at once only queue there. */
const CALLS_AT_ONCE_LIMIT = 2
const GET_TRIES_LIMIT = 3
const GET_FIRST_WAIT_MS = 100
export const READ_DEADLINE_MS = 12_000
/** Longer than the proxy's own 30 s: a write whose answer we give up too early is a write in doubt. */
export const WRITE_DEADLINE_MS = 40_000

type Entry = { readonly point: EntryPoint; readonly transport: Transport; node: string | undefined }

/** `No quorum` and its kin: Proxmox refuses writes until the cluster is whole again. A lock goes away by itself. */
const PASSING = /no quorum|not ready|cfs-lock|got timeout|timed out|Permission denied$|is locked|can't lock/i
const LASTING = /does not exist|no such|already (exists|running|defined)|without --online|hostname lookup|not a valid/i

export function retryOfRefusal({ status, text }: { readonly status: number; readonly text: string }): Retry {
  if (status === 500) return PASSING.test(text) ? 'later' : LASTING.test(text) ? 'never' : 'later'
  if (status === 429 || status > 500) return status === 501 ? 'never' : 'later'
  return 'never'
}

export function refused(call: Pick<Call, 'doing'>, refusal: Refusal): DriverError {
  return new DriverError('proxmox', call.doing, {
    retry: retryOfRefusal(refusal),
    text: `${refusal.status} ${refusal.text}`,
  })
}

export function proxmoxClient(config: {
  readonly entryPoints: readonly EntryPoint[]
  readonly readDeadlineMs?: number
  readonly writeDeadlineMs?: number
  readonly transport?: (entry: EntryPoint) => Transport
}): ProxmoxClient {
  const make = config.transport ?? tlsTransport
  const entries: Entry[] = config.entryPoints.map((point) => ({ point, transport: make(point), node: point.node }))
  const readDeadlineMs = config.readDeadlineMs ?? READ_DEADLINE_MS
  const writeDeadlineMs = config.writeDeadlineMs ?? WRITE_DEADLINE_MS
  const oneOfFew = limiter(CALLS_AT_ONCE_LIMIT)
  /** The entry point that answered last stays first: what it wrote, it shows at once. */
  let preferred = 0

  const send = (entry: Entry, method: Method, call: Call) =>
    oneOfFew(() =>
      entry.transport.send({
        method,
        path: call.path,
        ...(call.params === undefined ? {} : { params: call.params }),
        deadlineMs: method === 'GET' ? readDeadlineMs : writeDeadlineMs,
      }),
    )

  /** Which node an entry point is: asked once, where the configuration does not say. */
  async function learnNode(entry: Entry): Promise<void> {
    if (entry.node !== undefined) return
    const answer = await send(entry, 'GET', { doing: 'ask an entry point which node it is', path: '/cluster/status' })
    const reply = parseAnswer(answer, clusterStatus)
    if (reply.is !== 'data') return
    entry.node = reply.data.find((item) => item.type === 'node' && item.local === true)?.name
  }

  async function candidates(call: Call): Promise<readonly Entry[]> {
    const order = entries.map((_, index) => entries[(preferred + index) % entries.length] as Entry)
    if (call.avoid === undefined) return order
    await Promise.all(order.map(learnNode))
    // One that cannot say which node it is may be the one: it is left out.
    const others = order.filter((entry) => entry.node !== undefined && entry.node !== call.avoid)
    if (others.length > 0) return others
    throw new DriverError('proxmox', call.doing, {
      retry: 'never',
      text: `no entry point is known to be on another node than ${call.avoid}: configure one`,
    })
  }

  function answeredBy(entry: Entry): void {
    preferred = entries.indexOf(entry)
  }

  async function ask<T>(schema: z.ZodType<T>, call: Call): Promise<Reply<T>> {
    const order = await candidates(call)
    let why = 'no entry point is configured'
    let retry: Retry = 'never'
    for (let tries = 0; order.length > 0 && tries < Math.max(GET_TRIES_LIMIT, order.length); tries++) {
      if (tries > 0) await pause(GET_FIRST_WAIT_MS * 2 ** (tries - 1))
      const entry = order[tries % order.length] as Entry
      const reply = parseAnswer(await send(entry, 'GET', call), schema)
      if (reply.is === 'data' || reply.is === 'refused') {
        answeredBy(entry)
        return reply
      }
      why = `${entry.point.url}: ${reply.text}`
      if (reply.retry !== 'never') retry = reply.retry
    }
    throw new DriverError('proxmox', call.doing, { retry, text: why })
  }

  async function write<T>(method: Exclude<Method, 'GET'>, schema: z.ZodType<T>, call: Call): Promise<T> {
    let why = 'no entry point is configured'
    for (const entry of await candidates(call)) {
      const reply = parseAnswer(await send(entry, method, call), schema)
      if (reply.is === 'data') {
        answeredBy(entry)
        return reply.data
      }
      if (reply.is === 'refused') throw refused(call, reply)
      why = `${entry.point.url}: ${reply.text}`
      if (!reply.notSent) throw new DriverError('proxmox', call.doing, { retry: 'later', text: inDoubt(why) })
    }
    throw new DriverError('proxmox', call.doing, { retry: 'later', text: `${why}: nothing was sent` })
  }

  return {
    ask,
    async get(schema, call) {
      const reply = await ask(schema, call)
      if (reply.is === 'refused') throw refused(call, reply)
      return reply.data
    },
    write,
    async close() {
      await Promise.all(entries.map((entry) => entry.transport.close()))
    },
  }
}

const inDoubt = (why: string) => `${why}: the answer was lost, it may have been carried out; look before acting again`

/** A path with every part encoded: ids come from outside. */
export function path(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return parts.reduce((whole, part, index) => `${whole}${encodeURIComponent(String(values[index - 1]))}${part}`)
}
