/** Proxmox VE's API over several entry points: few calls at once, a deadline on each, GETs repeated, writes never. */
import { setTimeout as realPause } from 'node:timers/promises'
import type { z } from 'zod'
import { DriverError, type Retry } from '#domain/driver-error'
import { limiter } from '#drivers/exec/limiter'
import { type Entry, entryRing } from './entry-ring.ts'
import { parseAnswer, type Refusal, type Reply } from './schema.ts'
import { type EntryPoint, type Method, type Params, type Transport, tlsTransport } from './transport.ts'

export type Call = {
  /** In the words of the person who reads it at 3 a.m. */
  readonly doing: string
  readonly path: string
  readonly params?: Params
  /** Never through this node's own API: it is being drained, or it is the one that we ask about. */
  readonly avoid?: string
}

type WriteMethod = Exclude<Method, 'GET'>

export type ProxmoxClient = {
  /** Refusals (400, 401, 403, 500, 501) as values; DriverError when nobody answered properly. */
  ask<T>(schema: z.ZodType<T>, call: Call): Promise<Reply<T>>
  /** As ask, with a refusal as DriverError. */
  get<T>(schema: z.ZodType<T>, call: Call): Promise<T>
  /** Once, and never again: after a lost answer the error says that it may have been carried out. */
  write<T>(method: WriteMethod, schema: z.ZodType<T>, call: Call): Promise<T>
  /** As write, with a refusal as a value. */
  tryWrite<T>(method: WriteMethod, schema: z.ZodType<T>, call: Call): Promise<Reply<T>>
  close(): Promise<void>
}

/** Three worker processes serve a node's API: more calls at once only queue there. */
const CALLS_AT_ONCE_LIMIT = 2
const GET_TRIES_LIMIT = 3
const GET_FIRST_WAIT_MS = 100
const READ_DEADLINE_MS = 12_000
/** Longer than the proxy's own 30 s: a write whose answer we give up too early is a write in doubt. */
const WRITE_DEADLINE_MS = 40_000

/** `No quorum` and its kin: Proxmox refuses writes until the cluster is whole again. A lock goes away by itself. */
const PASSING = /no quorum|not ready|cfs-lock|got timeout|timed out|Permission denied$|is locked|can't lock/i
const LASTING = /does not exist|no such|already (exists|running|defined)|without --online|hostname lookup|not a valid/i

function retryOfRefusal({ status, text }: { readonly status: number; readonly text: string }): Retry {
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

export type ClientConfig = {
  readonly entryPoints: readonly EntryPoint[]
  readonly readDeadlineMs?: number
  readonly writeDeadlineMs?: number
  readonly transport?: (entry: EntryPoint) => Transport
  /** Between two tries of a read; default: real time. */
  readonly pause?: (ms: number) => Promise<unknown>
}

export function proxmoxClient(config: ClientConfig): ProxmoxClient {
  const oneOfFew = limiter(CALLS_AT_ONCE_LIMIT)
  const pause = config.pause ?? ((ms: number) => realPause(ms))
  const deadlineMs = (method: Method) =>
    method === 'GET' ? (config.readDeadlineMs ?? READ_DEADLINE_MS) : (config.writeDeadlineMs ?? WRITE_DEADLINE_MS)

  function send(entry: Entry, method: Method, { path: where, params }: Pick<Call, 'path' | 'params'>) {
    const request = { method, path: where, deadlineMs: deadlineMs(method), ...(params === undefined ? {} : { params }) }
    return oneOfFew(() => entry.transport.send(request))
  }
  const entries = entryRing(config.entryPoints, config.transport ?? tlsTransport, (entry) =>
    send(entry, 'GET', { path: '/cluster/status' }),
  )

  async function ask<T>(schema: z.ZodType<T>, call: Call): Promise<Reply<T>> {
    const order = await entries.orderFor(call)
    let why = NO_ENTRY
    let retry: Retry = 'never'
    for (let tries = 0; order.length > 0 && tries < Math.max(GET_TRIES_LIMIT, order.length); tries++) {
      if (tries > 0) await pause(GET_FIRST_WAIT_MS * 2 ** (tries - 1))
      const entry = order[tries % order.length] as Entry
      const reply = parseAnswer(await send(entry, 'GET', call), schema)
      if (reply.is === 'data' || (reply.is === 'refused' && !(knowsNoToken(reply) && tries + 1 < order.length))) {
        entries.prefer(entry)
        return reply
      }
      why = `${entry.point.url}: ${reply.text}`
      if (reply.is === 'unanswered' && reply.isProxied !== true) entries.failed(entry)
      if (reply.is === 'unanswered' && reply.retry !== 'never') retry = reply.retry
    }
    throw new DriverError('proxmox', call.doing, { retry, text: why })
  }

  async function tryWrite<T>(method: WriteMethod, schema: z.ZodType<T>, call: Call): Promise<Reply<T>> {
    let why = NO_ENTRY
    const order = await entries.orderFor(call)
    for (const entry of order) {
      const reply = parseAnswer(await send(entry, method, call), schema)
      if (reply.is === 'data' || (reply.is === 'refused' && !(knowsNoToken(reply) && entry !== order.at(-1)))) {
        entries.prefer(entry)
        return reply
      }
      why = `${entry.point.url}: ${reply.text}`
      if (reply.is === 'unanswered' && reply.isProxied !== true) entries.failed(entry)
      if (reply.is === 'unanswered' && !reply.notSent)
        throw new DriverError('proxmox', call.doing, { retry: 'later', text: inDoubt(why) })
    }
    throw new DriverError('proxmox', call.doing, { retry: 'later', text: `${why}: nothing was sent` })
  }

  function dataOf<T>(call: Call, reply: Reply<T>): T {
    if (reply.is === 'refused') throw refused(call, reply)
    return reply.data
  }

  return {
    ask,
    tryWrite,
    get: async (schema, call) => dataOf(call, await ask(schema, call)),
    write: async (method, schema, call) => dataOf(call, await tryWrite(method, schema, call)),
    close: entries.close,
  }
}

/** A node that has just started knows no tokens until it has joined the cluster: another may know ours. Nothing was done. */
const knowsNoToken = ({ status }: Refusal): boolean => status === 401

const NO_ENTRY = 'no entry point is configured'
const inDoubt = (why: string) => `${why}: the answer was lost, it may have been carried out; look before acting again`

/** A path with every part encoded: ids come from outside. */
export function path(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return parts.reduce((whole, part, index) => `${whole}${encodeURIComponent(String(values[index - 1]))}${part}`)
}
