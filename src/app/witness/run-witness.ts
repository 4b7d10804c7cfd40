/** A witness: a process of its own, wherever one stands, that probes what it is told and sends what it saw, signed. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import { canonicalJson } from '#domain/json'
import { ORDERS_FORMAT, type ProbeOrders, periodAt, SAMPLES_FORMAT, type SampleChunk } from '#domain/probing'
import { signedText } from '#domain/tree-head'
import { openSigningKey, type SigningKey } from '#drivers/files/signing-key'
import { startFping } from '#drivers/witness/fping'
import type { Stretch } from '#drivers/witness/lanes'
import { type WitnessLink, witnessLink } from '#drivers/witness/link'
import { startProber } from '#drivers/witness/prober'
import { Spool } from '#drivers/witness/spool'
import { BadInput } from '../bad-input.ts'
import { probesSchema, targetsOf } from '../config/witness.ts'

const configSchema = z
  .object({
    name: z.string().min(1).default(hostname()),
    stateDir: z.string(),
    control: z.url({ protocol: /^https?$/ }),
    /** Instead of the control plane's orders: for one who shall probe always the same, whoever asks. */
    probes: probesSchema,
    windows: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime() }).strict()).default([]),
  })
  .strict()

type WitnessConfig = z.infer<typeof configSchema>

const ORDERS_EVERY_MS = 10_000
const BEAT_EVERY_MS = 1_000
const SEND_EVERY_MS = 5_000
/** A sending of some 500 kB, before it is packed. */
const CHUNKS_A_SENDING = 1_000

export function readWitnessConfig(path: string): WitnessConfig {
  let raw: unknown
  try {
    raw = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new BadInput([`${path}: cannot be read: ${error instanceof Error ? error.message : error}`])
  }
  const parsed = configSchema.safeParse(raw)
  if (parsed.success) return { ...parsed.data, stateDir: resolve(dirname(path), parsed.data.stateDir) }
  throw new BadInput(parsed.error.issues.map((issue) => `${path}: $.${issue.path.join('.')}: ${issue.message}`))
}

/** Until `signal`. What could not be sent waits in the spool for the next start. */
export async function runWitness(
  config: WitnessConfig,
  options: {
    readonly signal: AbortSignal
    readonly log: (text: string) => void
    readonly onReady: (publicKey: string) => void
  },
): Promise<void> {
  const { signal, log } = options
  const key = openSigningKey(join(config.stateDir, 'witness.pem'))
  const spool = new Spool(join(config.stateDir, 'spool'), log)
  const witness = new Witness({ config, key, spool, link: witnessLink(config.control, key), log: saidOnce(log) })
  options.onReady(key.publicKey)
  const loops = [
    everyMs(ORDERS_EVERY_MS, signal, () => witness.askOrders()),
    everyMs(BEAT_EVERY_MS, signal, () => witness.keepBeat()),
    everyMs(SEND_EVERY_MS, signal, () => witness.send()),
  ]
  await Promise.all(loops)
  await witness.stop()
}

async function everyMs(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work()
    await sleep(ms, undefined, { signal }).catch(() => {})
  }
}

type Parts = {
  readonly config: WitnessConfig
  readonly key: SigningKey
  readonly spool: Spool
  readonly link: WitnessLink
  readonly log: (text: string) => void
}

type Unsent = Omit<SampleChunk, 'signature' | 'sentAtMs'>

type Probing = { readonly of: string; readonly periodMs: number; stop(): Promise<void> }

class Witness {
  readonly #parts: Parts
  readonly #run = randomUUID()
  #orders: ProbeOrders
  #probing: Probing | undefined
  #made: Unsent[] = []
  /** When a file of the spool was made, by the monotonic clock: a start before ours is not known. */
  readonly #madeAtMs = new Map<string, number>()

  constructor(parts: Parts) {
    this.#parts = parts
    const windows = parts.config.windows.map(({ from, to }) => ({ fromMs: Date.parse(from), toMs: Date.parse(to) }))
    this.#orders = { format: ORDERS_FORMAT, targets: targetsOf(parts.config.probes), windows }
  }

  /** Orders that do not come change nothing: the last ones hold, and their windows end by themselves. */
  async askOrders(): Promise<void> {
    if (this.#parts.config.probes.length > 0) return
    try {
      this.#orders = await this.#parts.link.orders()
    } catch (error) {
      this.#parts.log(`no orders: ${error instanceof Error ? error.message : error}`)
    }
  }

  async keepBeat(): Promise<void> {
    const { targets, windows } = this.#orders
    const periodMs = periodAt(windows, Date.now())
    const of = canonicalJson(targets)
    if (this.#probing?.of === of && this.#probing.periodMs === periodMs) return
    await this.#probing?.stop()
    const icmp = targets.filter(({ how }) => how.is === 'icmp')
    const others = targets.filter(({ how }) => how.is !== 'icmp')
    const onStretch = (stretch: Stretch) => this.#take(stretch)
    const prober = others.length === 0 ? undefined : startProber({ targets: others, periodMs, onStretch })
    const fping =
      icmp.length === 0 ? undefined : startFping({ targets: icmp, periodMs, onStretch, log: this.#parts.log })
    this.#probing = { of, periodMs, stop: async () => void (await Promise.all([prober?.stop(), fping?.stop()])) }
    this.#parts.log(`${targets.length} targets, one probe each every ${periodMs} ms`)
  }

  #take({ target, periodMs, firstDueMs, offsetsMs: [began, ended], answersUs }: Stretch): void {
    const { config, key } = this.#parts
    this.#made.push({
      format: SAMPLES_FORMAT,
      witness: config.name,
      key: key.publicKey,
      run: this.#run,
      target: target.id,
      guest: target.guest,
      how: target.how.is,
      periodMs,
      firstAtMs: Math.round((firstDueMs + ended) * 1000) / 1000,
      answersUs,
      clockMovedMs: Math.round((ended - began) * 10) / 10,
    })
  }

  /** Stamped and signed when they go into the spool: from then on it is known how long they have waited. */
  #sign(made: Unsent): SampleChunk {
    const chunk = { ...made, sentAtMs: Date.now() }
    return { ...chunk, signature: this.#parts.key.sign(signedText(chunk)) }
  }

  /** To disk first: what was seen is not lost with us. Oldest first, until nobody answers. */
  async send(): Promise<void> {
    const { spool, link, log } = this.#parts
    while (this.#made.length > 0) {
      const chunks = this.#made.splice(0, CHUNKS_A_SENDING).map((made) => this.#sign(made))
      this.#madeAtMs.set(spool.put(chunks), performance.now())
    }
    for (let next = spool.oldest(); next !== undefined; next = spool.oldest()) {
      const madeAtMs = this.#madeAtMs.get(next.name)
      try {
        await link.send(next.chunks, madeAtMs === undefined ? undefined : performance.now() - madeAtMs)
      } catch (error) {
        log(`samples are not taken: ${error instanceof Error ? error.message : error}`)
        if (!(error instanceof DriverError) || error.retry !== 'never') return
        log(`${next.chunks.length} chunks of samples are dropped: sent again they would be refused again`)
      }
      spool.drop(next.name)
      this.#madeAtMs.delete(next.name)
    }
  }

  async stop(): Promise<void> {
    await this.#probing?.stop()
    await this.send()
  }
}

/** What goes wrong every few seconds is said when it begins. */
function saidOnce(log: (text: string) => void): (text: string) => void {
  let last = ''
  return (text) => {
    if (text !== last) log(text)
    last = text
  }
}
