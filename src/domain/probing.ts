/** What a witness probes, and the samples that he sends: one chunk a target and stretch of time, signed by his own key. */
import type { Vmid } from './ids.ts'
import { canonicalJson } from './json.ts'
import type { Sha256 } from './merkle.ts'

export type ProbeHow =
  | { readonly is: 'icmp'; readonly host: string }
  | { readonly is: 'tcp'; readonly host: string; readonly port: number }
  | { readonly is: 'http'; readonly url: string; readonly status: number }

export type ProbeTarget = { readonly id: string; readonly guest: Vmid; readonly how: ProbeHow }

/** While one is open, probes leave every FAST_PERIOD_MS; else every SLOW_PERIOD_MS. */
export type ProbeWindow = { readonly fromMs: number; readonly toMs: number }

export type ProbeOrders = {
  readonly format: typeof ORDERS_FORMAT
  readonly targets: readonly ProbeTarget[]
  readonly windows: readonly ProbeWindow[]
}

export const ORDERS_FORMAT = 'coulisse/probe-orders@1'
export const SAMPLES_FORMAT = 'coulisse/samples@1'
export const FAST_PERIOD_MS = 50
const SLOW_PERIOD_MS = 1_000
/** Before and after a maintenance. */
export const WINDOW_MARGIN_MS = 10 * 60_000
/** Below a second: then the kernel sends its SYN again, and an answer to that one would hide that the first was lost. */
export const ANSWER_LIMIT_MS = 900

/** No answer within ANSWER_LIMIT_MS, a refusal, or another status than expected. */
export const LOST = -1
/** The witness came too late for it, by a quarter of a period or more: it was not sent, and says nothing. */
export const UNSENT = -2

export type SampleChunk = {
  readonly format: typeof SAMPLES_FORMAT
  /** The witness's name for people; his key is what is believed. */
  readonly witness: string
  readonly key: string
  /** One start of his process; with target and first time the chunk's identity. */
  readonly run: string
  readonly target: string
  readonly guest: Vmid
  readonly how: ProbeHow['is']
  readonly periodMs: number
  /** When the first probe was due, by his wall clock at the end of the chunk. */
  readonly firstAtMs: number
  /** A figure a probe: µs from when it was due until its answer, LOST or UNSENT. */
  readonly answersUs: readonly number[]
  /** How far his wall clock moved against his monotonic one meanwhile. */
  readonly clockMovedMs: number
  /** His wall clock when he sent it, the first time. */
  readonly sentAtMs: number
  readonly signature: string
}

export const chunkId = ({ key, run, target, firstAtMs }: SampleChunk) => `${key}/${run}/${target}/${firstAtMs}`
export const chunkHash = (chunk: SampleChunk, sha256: Sha256) => sha256(canonicalJson(chunk))

export const periodAt = (windows: readonly ProbeWindow[], nowMs: number) =>
  windows.some(({ fromMs, toMs }) => fromMs <= nowMs && nowMs < toMs) ? FAST_PERIOD_MS : SLOW_PERIOD_MS
