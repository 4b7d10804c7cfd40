/** Takes other customers' names and guests out of free text: technicians and systems write what they like. */
import type { Customer } from '#domain/customer'
import type { Origin } from '#domain/event'

export type Redact = (text: string) => string

/** What stands where something is kept from the reader. */
export const MASK = '[…]'

/** A word of ours never names others; what people and systems wrote may. Own names stay. */
export function redactFor(customer: Customer, customers: readonly Customer[], origins: readonly Origin[]): Redact {
  const others = customers.filter(({ id }) => id !== customer.id)
  const foreign = origins.filter((origin) => origin.customer !== customer.id)
  const own = new Set<string>([customer.id, customer.name])
  for (const origin of origins) if (origin.customer === customer.id) own.add(origin.name)
  const words = [
    ...others.flatMap(({ id, name, mail }) => (mail === undefined ? [id, name] : [id, name, mail])),
    ...foreign.flatMap(({ name, customer: id }) => (id === undefined ? [name] : [name, id])),
  ].filter((word) => word.length > 0 && !own.has(word))
  // Longest first: 'acorn-web' goes before 'acorn'.
  const names = [...new Set(words)].sort((a, b) => b.length - a.length).map(escapeForPattern)
  const ids = foreign.map(({ vmid }) => String(vmid))
  const patterns = [
    ...(names.length > 0 ? [new RegExp(`(?<![\\p{L}\\p{N}])(${names.join('|')})(?![\\p{L}\\p{N}])`, 'giu')] : []),
    // A number alone may be a speed or a size; with the word for a guest before it, it is a guest.
    ...(ids.length > 0 ? [new RegExp(`\\b(guest|vm|ct|vmid|container)[ #:]*(${ids.join('|')})\\b`, 'giu')] : []),
  ]
  return (text) => patterns.reduce((rest, pattern) => rest.replace(pattern, MASK), text)
}

export const escapeForPattern = (word: string) => word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
