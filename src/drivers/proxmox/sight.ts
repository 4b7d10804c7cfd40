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
  /** As see; but a refusal that `isTruth` means `truth`. Undefined: it could not be seen, and is in `blind`. */
  seeOr<T>(
    isTruth: (refusal: Refusal) => boolean,
    truth: T,
    asked: { readonly schema: z.ZodType<T>; readonly call: Call },
  ): Promise<T | undefined>
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

  const seeOr: Sight['seeOr'] = async (isTruth, truth, { schema, call }) => {
    let isTrue = false
    const noteTruth = (refusal: Refusal) => {
      isTrue = isTruth(refusal)
      return isTrue
    }
    const told = await seeUnless(noteTruth, schema, call, undefined)
    return isTrue ? truth : told
  }

  return {
    blind,
    seeOr,
    see: (schema, call, without) => seeUnless(() => false, schema, call, without),
    seeUnless,
    say: (line) => void blind.push(line),
  }
}
