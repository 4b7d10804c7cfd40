/** The CLI's way to a running control plane: a few calls over HTTP, with errors that say what to do. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { BadInput } from '#app/bad-input'
import type { Allowed } from '#domain/can'
import type { JournalRow } from '#domain/event'
import type { MaintenanceView } from '#domain/view'

const ANSWER_LIMIT_MS = 15_000
/** A month of thousands of customers is made while it is sent. */
const MONTH_LIMIT_MS = 600_000

export type Target = { readonly url?: string; readonly state?: string }

/** One maintenance as the API tells of it. */
export type Described = {
  readonly id: string
  readonly cluster: string
  readonly view: MaintenanceView
  readonly allowed: Readonly<Record<string, Allowed>>
  readonly waiting: readonly { readonly text: string }[]
  readonly status: { readonly word: string }
}

const Ready = z.looseObject({ url: z.url() })

/** `--url`, or the address that a control plane wrote as its first line into its state folder. */
export async function urlOf({ url, state }: Target): Promise<string> {
  if (url !== undefined) {
    if (!URL.canParse(url)) throw new BadInput([`--url: ${url} is no address`])
    return url.replace(/\/+$/, '')
  }
  const file = join(state ?? (await demoState()), 'logs', 'control-plane.out')
  const first = (await readFile(file, 'utf8').catch(() => '')).split('\n')[0] ?? ''
  const ready = Ready.safeParse(jsonIn(first))
  if (!ready.success)
    throw new BadInput([`--url or --state: say where the control plane is; none has written its address to ${file}`])
  return ready.data.url.replace(/\/+$/, '')
}

/** Nothing named: the demo of this machine. */
const demoState = async () => (await import('#app/demo/state-folder')).defaultStateDir(false)

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A name that is a path would lead out of the folder. */
const MonthLine = z.object({ name: z.string().regex(/^[\w.-]+$/), base64: z.string() })

const Problem = z.looseObject({
  status: z.number(),
  title: z.string(),
  detail: z.string().optional(),
  faults: z.array(z.object({ path: z.string(), text: z.string() })).optional(),
})

/** What the control plane refused, in its own words. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

export class ApiClient {
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  async list(): Promise<readonly Described[]> {
    const { maintenances } = (await this.#call('GET', '/api/maintenances')) as { maintenances: Described[] }
    return maintenances
  }

  /** The one that is named, or the only one that runs. */
  async find(id: string | undefined): Promise<Described> {
    if (id !== undefined) return (await this.#call('GET', `/api/maintenances/${encodeURIComponent(id)}`)) as Described
    const running = (await this.list()).filter(({ view }) => view.ended === undefined)
    const [only, ...others] = running
    if (only !== undefined && others.length === 0) return only
    const which = running.length === 0 ? 'none is running' : `these run: ${running.map((one) => one.id).join(', ')}`
    throw new BadInput([`name a maintenance: ${which}`])
  }

  journal(id: string, after: number): Promise<{ readonly format: string; readonly rows: readonly JournalRow[] }> {
    const path = `/api/maintenances/${encodeURIComponent(id)}/journal?after=${after}`
    return this.#call('GET', path) as Promise<{ format: string; rows: JournalRow[] }>
  }

  /** The bundle as it was signed: written in canonical JSON it is the same bytes. */
  evidence(id: string, customer: string): Promise<unknown> {
    return this.#call('GET', `/api/maintenances/${encodeURIComponent(id)}/evidence/${encodeURIComponent(customer)}`)
  }

  async erase(word: string): Promise<number> {
    return ((await this.#call('POST', '/api/erase', { word })) as { erasedCount: number }).erasedCount
  }

  async control(id: string, message: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#call('POST', `/api/maintenances/${encodeURIComponent(id)}/control`, message)
  }

  async release(id: string, release: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#call('POST', `/api/maintenances/${encodeURIComponent(id)}/release`, release)
  }

  async answer(id: string, order: string, answer: Readonly<Record<string, unknown>>): Promise<void> {
    const path = `/api/maintenances/${encodeURIComponent(id)}/work-orders/${encodeURIComponent(order)}/answer`
    await this.#call('POST', path, answer)
  }

  async start(request: Readonly<Record<string, unknown>>): Promise<string> {
    return ((await this.#call('POST', '/api/maintenances', request)) as { id: string }).id
  }

  report(id: string, customer: string, query: URLSearchParams): Promise<Uint8Array> {
    return this.#file(`/api/maintenances/${encodeURIComponent(id)}/reports/${encodeURIComponent(customer)}?${query}`)
  }

  publicDraft(id: string, query: URLSearchParams): Promise<Uint8Array> {
    return this.#file(`/api/maintenances/${encodeURIComponent(id)}/public?${query}`)
  }

  async #file(path: string): Promise<Uint8Array> {
    const response = await this.#fetch(path, { method: 'GET', signal: AbortSignal.timeout(ANSWER_LIMIT_MS) })
    if (!response.ok) throw problemOf(response.status, await response.text())
    return new Uint8Array(await response.arrayBuffer())
  }

  /** One file after the other, as they are made. */
  async *monthReports(month: string, query: URLSearchParams): AsyncIterable<{ name: string; bytes: Uint8Array }> {
    const path = `/api/months/${encodeURIComponent(month)}/reports?${query}`
    const response = await this.#fetch(path, { method: 'GET', signal: AbortSignal.timeout(MONTH_LIMIT_MS) })
    if (!response.ok || response.body === null) throw problemOf(response.status, await response.text())
    for await (const line of createInterface({ input: Readable.fromWeb(response.body) })) {
      const { name, base64 } = MonthLine.parse(JSON.parse(line))
      yield { name, bytes: Buffer.from(base64, 'base64') }
    }
  }

  async #call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const response = await this.#fetch(path, {
      method,
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      headers: { accept: 'application/json', 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.ok) return JSON.parse(text)
    throw problemOf(response.status, text)
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.#base}${path}`, init)
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      const why = cause instanceof Error ? cause.message : String(cause)
      // After a time-out the message may have arrived: the journal tells.
      const doubt = init.method === 'POST' ? '; look with "coulisse status" before you send again' : ''
      throw new Refused(`no answer from the control plane at ${this.#base}: ${why}${doubt}`)
    }
  }
}

function problemOf(status: number, text: string): Error {
  const problem = Problem.safeParse(jsonIn(text))
  if (!problem.success) return new Refused(`the control plane answered ${status}: is this its address?`)
  const { title, detail, faults } = problem.data
  if (status === 422 && faults !== undefined) return new BadInput(faults.map((one) => `${one.path}: ${one.text}`))
  return new Refused(detail === undefined ? title : `${title}: ${detail}`)
}
