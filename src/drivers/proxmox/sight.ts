/** Reads that may fail one by one: what could not be seen is written down, never left out in silence. */

import type { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import type { Call, ProxmoxClient } from './client.ts'
import type { Refusal } from './schema.ts'

export type Sight = {
  readonly blind: readonly string[]
  /** The answer, or `without` and a line in `blind`. */
  see<T, W>(schema: z.ZodType<T>, call: Call, without: W): Promise<T | W>
  /** As see; but a refusal that `isTruth` (no such path in this release, no Ceph here) gives `without`, and nothing is amiss. */
  seeUnless<T, W>(isTruth: (refusal: Refusal) => boolean, schema: z.ZodType<T>, call: Call, without: W): Promise<T | W>
  say(line: string): void
}

export const notOffered = ({ status }: Refusal): boolean => status === 501

export function sightOf(client: ProxmoxClient, avoid: string | undefined): Sight {
  const blind: string[] = []
  const throughOthers = (call: Call): Call => (avoid === undefined ? call : { ...call, avoid })

  const seeUnless: Sight['seeUnless'] = async (isTruth, schema, call, without) => {
    try {
      const reply = await client.ask(schema, throughOthers(call))
      if (reply.is === 'data') return reply.data
      if (!isTruth(reply)) blind.push(`${call.doing}: ${reply.status} ${reply.text}`)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      blind.push(error.message)
    }
    return without
  }

  return {
    blind,
    see: (schema, call, without) => seeUnless(() => false, schema, call, without),
    seeUnless,
    say: (line) => void blind.push(line),
  }
}

/** Answers that change seldom and cost much, kept for a while; the oldest go first when it is full. */
export function shortMemory<T>(keepMs: number, entriesLimit: number) {
  const kept = new Map<string, { readonly untilMs: number; readonly value: T }>()
  return {
    async get(key: string, nowMs: number, fetch: () => Promise<T | undefined>): Promise<T | undefined> {
      const found = kept.get(key)
      // A clock that jumped back makes an entry look young for ever: then it is not believed.
      if (found !== undefined && found.untilMs > nowMs && found.untilMs <= nowMs + keepMs) return found.value
      kept.delete(key)
      const value = await fetch()
      if (value === undefined) return undefined
      if (kept.size >= entriesLimit) kept.delete(kept.keys().next().value ?? key)
      kept.set(key, { untilMs: nowMs + keepMs, value })
      return value
    },
  }
}
