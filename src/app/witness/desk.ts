/** Where witnesses are heard: their orders, their signed samples, and what these say of a guest. */
import { DriverError } from '#domain/driver-error'
import type { Vmid } from '#domain/ids'
import { canonicalJson } from '#domain/json'
import type { ProbeReading, Usual } from '#domain/measurement'
import {
  ORDERS_FORMAT,
  type ProbeOrders,
  type ProbeTarget,
  type ProbeWindow,
  type SampleChunk,
  WINDOW_MARGIN_MS,
} from '#domain/probing'
import { signedText } from '#domain/tree-head'
import type { MaintenanceView } from '#domain/view'
import type { StoredChunk } from '#drivers/postgres/samples'
import type { Probe } from '#ports/probe'
import { readingsFrom, type Span, usualFrom } from '#tell/samples'
import { sha256, verifySignature } from '../evidence/crypto.ts'

export type SampleStore = {
  put(chunks: readonly StoredChunk[]): Promise<number>
  find(guest: Vmid, span: Span): Promise<readonly StoredChunk[]>
  forgetOld(nowMs: number): Promise<void>
}

export type WitnessKeys = Readonly<Record<string, { readonly publicKey: string }>>

export type OrdersRequest = {
  readonly format: string
  readonly key: string
  readonly atMs: number
  readonly signature: string
}
export type Sending = { readonly madeAgoMs?: number; readonly chunks: readonly SampleChunk[] }

export type WitnessAnswer<T> =
  | { readonly is: 'ok'; readonly value: T }
  | { readonly is: 'unknown'; readonly text: string }
  | { readonly is: 'bad'; readonly text: string }
  | { readonly is: 'later'; readonly text: string }

export type WitnessDesk = {
  orders(request: OrdersRequest): Promise<WitnessAnswer<ProbeOrders>>
  /** Durable when it resolves; `known`: those that had come before. */
  take(sending: Sending): Promise<WitnessAnswer<{ readonly kept: number; readonly known: number }>>
}

export type WitnessParts = {
  readonly store: SampleStore
  readonly witnesses: () => WitnessKeys
  readonly targets: () => readonly ProbeTarget[]
  readonly views: () => Promise<readonly MaintenanceView[]>
  /** Of this machine: witnesses live outside, where no lab owns the time. */
  readonly nowMs: () => number
  readonly log: (text: string) => void
}

/** A request that was overheard asks for nothing any more. */
const REQUEST_AGE_LIMIT_MS = 5 * 60_000
/** A window of a maintenance that runs is told anew at every request; it ends by itself where nobody tells. */
const WINDOW_AHEAD_MS = 60 * 60_000
const VIEWS_KEPT_MS = 5_000
const FORGET_EVERY_MS = 60 * 60_000

export function witnessDesk(parts: WitnessParts): WitnessDesk {
  const { store, witnesses, targets, nowMs, log } = parts
  const nameOf = (key: string) => Object.entries(witnesses()).find(([, { publicKey }]) => publicKey === key)?.[0]
  const views = keptFor(VIEWS_KEPT_MS, nowMs, parts.views)
  let forgotAtMs = 0
  return {
    async orders(request) {
      if (nameOf(request.key) === undefined) return { is: 'unknown', text: `no witness has the key ${request.key}` }
      const isFresh = Math.abs(nowMs() - request.atMs) <= REQUEST_AGE_LIMIT_MS
      if (!isFresh) return { is: 'bad', text: 'the clocks of witness and control plane are more than 5 min apart' }
      if (!verifySignature(signedText(request), request.key, request.signature))
        return { is: 'bad', text: 'the signature is wrong' }
      return {
        is: 'ok',
        value: { format: ORDERS_FORMAT, targets: targets(), windows: windowsOf(await views(), nowMs()) },
      }
    },
    async take({ chunks, madeAgoMs }) {
      const stranger = chunks.find(({ key }) => nameOf(key) === undefined)
      if (stranger !== undefined) return { is: 'unknown', text: `no witness has the key ${stranger.key}` }
      const wrong = chunks.find((chunk) => !verifySignature(signedText(chunk), chunk.key, chunk.signature))
      if (wrong !== undefined) return { is: 'bad', text: `the signature of ${wrong.target} is wrong` }
      const receivedAtMs = nowMs()
      const ahead = (chunk: SampleChunk) =>
        madeAgoMs === undefined ? 'unknown' : chunk.sentAtMs + madeAgoMs - receivedAtMs
      try {
        const kept = await store.put(chunks.map((chunk) => ({ chunk, aheadMs: ahead(chunk) })))
        if (receivedAtMs - forgotAtMs > FORGET_EVERY_MS) {
          forgotAtMs = receivedAtMs
          await store.forgetOld(receivedAtMs)
        }
        return { is: 'ok', value: { kept, known: chunks.length - kept } }
      } catch (error) {
        if (!(error instanceof DriverError)) throw error
        log(`samples of a witness are not kept: ${error.message}`)
        return { is: 'later', text: 'they cannot be kept now' }
      }
    },
  }
}

/** From 10 min before it began, as far as that was known, to 10 min after it ended. */
export function windowsOf(views: readonly MaintenanceView[], nowMs: number): readonly ProbeWindow[] {
  return views.flatMap(({ openedAtMs, ended }) => {
    const toMs = ended === undefined ? nowMs + WINDOW_AHEAD_MS : ended.atMs + WINDOW_MARGIN_MS
    return toMs > nowMs ? [{ fromMs: openedAtMs - WINDOW_MARGIN_MS, toMs }] : []
  })
}

function keptFor<T>(ms: number, nowMs: () => number, ask: () => Promise<T>): () => Promise<T> {
  let kept: { readonly atMs: number; readonly value: Promise<T> } | undefined
  return () => {
    if (kept === undefined || Math.abs(nowMs() - kept.atMs) > ms) kept = { atMs: nowMs(), value: ask() }
    return kept.value
  }
}

const USUAL_DAYS = 7
const DAY_MS = 86_400_000

/** The Probe port over what witnesses sent. */
export function witnessProbe(store: SampleStore): Probe {
  return {
    async read({ guests, fromMs, toMs, during = { fromMs, toMs } }) {
      const readings: ProbeReading[] = []
      for (const guest of guests) {
        const query = { guest, fromMs, toMs, during }
        const own = readingsFrom(await store.find(guest, query), query, sha256)
        const usual = own.some(({ is }) => is === 'measured') ? await usualOf(store, query) : undefined
        readings.push(...own.map((one) => (one.is === 'measured' && usual ? { ...one, usual } : one)))
      }
      return JSON.parse(canonicalJson(readings)) as ProbeReading[]
    },
  }
}

async function usualOf(store: SampleStore, query: Span & { guest: Vmid; during: Span }): Promise<Usual | undefined> {
  const days = Array.from({ length: USUAL_DAYS }, (_, index) => ({
    fromMs: query.fromMs - (index + 1) * DAY_MS,
    toMs: query.toMs - (index + 1) * DAY_MS,
  }))
  const kept = await Promise.all(days.map((day) => store.find(query.guest, day)))
  return usualFrom(kept.flat(), query, days, sha256)
}
