/** Reads the logs of many BMCs at once, and lets a slow one hold up nobody. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Signal } from '#domain/signal'
import { limiter } from '#drivers/exec/limiter'
import type { Bmc } from '#ports/bmc'

/** More than this at once brings nothing on two cores (bench/bmc-polls.ts), and each is a process where BMCs speak IPMI. */
export const BMCS_AT_ONCE = 16
/** A BMC answers in 0.1 to 2 s; a dead one costs 4 s by IPMI and 5 s by Redfish. Who is slower is heard in a later round. */
const PATIENCE_MS = 10_000

export type BmcRead = { readonly node: NodeName; readonly signals: readonly Signal[]; readonly cursor: string }

export type BmcPoller = {
  /**
   * Reads every node after its cursor, and resolves with what was read, in the order of `nodes`, however fast each answered. A
   * read that lasts longer than our patience goes on, and is in the round in which it has ended; until then its node is not
   * read a second time. Whoever was not read and why is logged. Throws what is no DriverError.
   */
  round(nodes: readonly NodeName[], cursors: Readonly<Record<string, string>>): Promise<readonly BmcRead[]>
}

type Ended = { readonly is: 'read'; readonly read: BmcRead } | { readonly is: 'failed'; readonly error: unknown }
type Reading = { readonly after: string; readonly end: Promise<void>; ended?: Ended }

export function bmcPoller(options: {
  readonly bmc: Pick<Bmc, 'signals'>
  readonly log: (text: string) => void
  readonly atOnce?: number
  /** 'endless' in virtual time, where nothing lasts. */
  readonly patienceMs?: number | 'endless'
}): BmcPoller {
  const { bmc, log, atOnce = BMCS_AT_ONCE, patienceMs = PATIENCE_MS } = options
  const turn = limiter(atOnce)
  const readings = new Map<NodeName, Reading>()

  function begin(node: NodeName, after: string): Reading {
    const ends = (ended: Ended) => {
      reading.ended = ended
    }
    const end = bmc.signals(node, after).then(
      (read) => ends({ is: 'read', read: { node, ...read } }),
      (error: unknown) => ends({ is: 'failed', error }),
    )
    const reading: Reading = { after, end }
    readings.set(node, reading)
    return reading
  }
  /** Undefined while it is still under way. */
  function take(node: NodeName, after: string): BmcRead | undefined {
    const reading = readings.get(node)
    if (reading?.ended === undefined) return undefined
    readings.delete(node)
    if (reading.ended.is === 'read') {
      // Somebody else read this log meanwhile, or the round was not stored: read again from where it stands.
      return reading.after === after ? reading.ended.read : undefined
    }
    const { error } = reading.ended
    if (!(error instanceof DriverError)) throw error
    log(`the BMC of ${node} was not read: ${error.message}`)
    return undefined
  }
  return {
    round: async (nodes, cursors) => {
      const after = (node: NodeName) => cursors[node] ?? ''
      const readOne = async (node: NodeName) => {
        const { end } = readings.get(node) ?? begin(node, after(node))
        await (patienceMs === 'endless' ? end : within(end, patienceMs))
      }
      await Promise.all(nodes.map((node) => turn(() => readOne(node))))
      return nodes.flatMap((node) => take(node, after(node)) ?? [])
    },
  }
}

async function within(end: Promise<void>, limitMs: number): Promise<void> {
  const given = new AbortController()
  const patience = sleep(limitMs, undefined, { signal: given.signal }).catch(() => undefined)
  await Promise.race([end, patience])
  given.abort()
}
