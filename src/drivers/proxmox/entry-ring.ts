/** Which entry point is asked next: the one that answered last first, one that failed lately last, never one on the node to be left alone. */
import { performance } from 'node:perf_hooks'
import { DriverError } from '#domain/driver-error'
import { parseAnswer } from './schema.ts'
import type { EntryPoint, Transport, WireAnswer } from './transport.ts'
import { clusterStatus } from './wire.ts'

/** One that did not answer is asked only when nobody else is left; then it gets its chance again. */
const FAILED_AVOIDED_MS = 30_000

export type Entry = { readonly point: EntryPoint; readonly transport: Transport; node: string | undefined }

export type EntryRing = {
  /** @throws DriverError 'never' where `avoid` leaves none */
  orderFor(call: { readonly doing: string; readonly avoid?: string }): Promise<readonly Entry[]>
  /** What it wrote, it shows at once; others may lag. */
  prefer(entry: Entry): void
  /** It did not answer, or not as Proxmox does. */
  failed(entry: Entry): void
  close(): Promise<void>
}

export function entryRing(
  points: readonly EntryPoint[],
  transport: (entry: EntryPoint) => Transport,
  askStatus: (entry: Entry) => Promise<WireAnswer>,
): EntryRing {
  const entries: Entry[] = points.map((point) => ({ point, transport: transport(point), node: point.node }))
  let preferred = 0
  /** Somebody said lately that this node is to be left alone; calls that do not say so ask it last. */
  let leftAlone: string | undefined

  /** Asked once, where the configuration does not say. */
  async function learnNode(entry: Entry): Promise<void> {
    if (entry.node !== undefined) return
    const reply = parseAnswer(await askStatus(entry), clusterStatus)
    if (reply.is !== 'data') return
    entry.node = reply.data.find((item) => item.type === 'node' && item.local === true)?.name
  }

  const failedUntilMs = new Map<Entry, number>()
  const hasFailed = (entry: Entry) => (failedUntilMs.get(entry) ?? 0) > performance.now()
  const isLeftAlone = (entry: Entry) => leftAlone !== undefined && entry.node === leftAlone
  const rank = (entry: Entry) => (isLeftAlone(entry) ? 2 : 0) + (hasFailed(entry) ? 1 : 0)

  return {
    async orderFor({ doing, avoid }) {
      const order = entries
        .map((_, index) => entries[(preferred + index) % entries.length] as Entry)
        .sort((left, right) => rank(left) - rank(right))
      if (avoid === undefined) return order
      leftAlone = avoid
      await Promise.all(order.map(learnNode))
      // One that cannot say which node it is may be the one: it is left out.
      const others = order.filter((entry) => entry.node !== undefined && entry.node !== avoid)
      if (others.length > 0) return others
      throw new DriverError('proxmox', doing, {
        // Those that did not say may say it later.
        retry: order.some((entry) => entry.node === undefined) ? 'later' : 'never',
        text: `no entry point is known to be on another node than ${avoid}: configure one`,
      })
    },
    prefer(entry) {
      preferred = entries.indexOf(entry)
      failedUntilMs.delete(entry)
    },
    failed(entry) {
      failedUntilMs.set(entry, performance.now() + FAILED_AVOIDED_MS)
    },
    async close() {
      await Promise.all(entries.map((entry) => entry.transport.close()))
    },
  }
}
