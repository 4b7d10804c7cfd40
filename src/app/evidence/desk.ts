/** Where evidence is asked for: bundles of customers, published roots, and the erasing of names. */
import type { Customer } from '#domain/customer'
import type { JournalRow } from '#domain/event'
import { type CustomerId, customerId, type MaintenanceId } from '#domain/ids'
import { canonicalJson } from '#domain/json'
import { ERASED } from '#domain/seal'
import { type Roots, signedText } from '#domain/tree-head'
import type { SigningKey } from '#drivers/files/signing-key'
import type { Inventory } from '#ports/inventory'
import type { Journal } from '#ports/journal'
import { gatherEvidence } from '#tell/bundle'
import { originsOf } from '#tell/decide'
import { sha256 } from './crypto.ts'
import type { JournalRoots } from './journal-roots.ts'

export type EvidenceDesk = {
  /** The bundle as it is handed out, in canonical JSON; undefined for a customer without guests in this maintenance. */
  bundle(id: MaintenanceId, customer: CustomerId): Promise<string | undefined>
  roots(): Promise<Roots>
  /** Forgets every text of the journal that holds the word; how many. Nothing brings them back. */
  erase(word: string): Promise<number>
}

export type DeskParts = {
  readonly journal: Pick<Journal, 'read'> & {
    places(id: MaintenanceId): Promise<readonly number[]>
    erase(word: string): Promise<number>
  }
  readonly roots: JournalRoots
  readonly key: SigningKey
  readonly inventory: Pick<Inventory, 'customer' | 'hoster' | 'simulated'>
}

/** Whoever kept one of so many heads before the bundle's own compares without asking for more. */
const HEADS_BEFORE = 8

export function evidenceDesk({ journal, roots, key, inventory }: DeskParts): EvidenceDesk {
  return {
    roots: () => roots.roots(),
    erase: (word) => journal.erase(word),
    async bundle(id, wanted) {
      const rows = await journal.read(id)
      const customers = await customersIn(rows, inventory)
      const customer = customers.find((one) => one.id === wanted)
      if (customer === undefined) return undefined
      const places = await journal.places(id)
      const placeOf = ({ seq }: JournalRow) => places[seq - 1] ?? Number.NaN
      const last = rows.at(-1)
      const head = await roots.headOver(last === undefined ? 0 : placeOf(last) + 1)
      const gathered = gatherEvidence(
        {
          customer,
          customers,
          rows,
          proofOf: (row) => ({ index: placeOf(row), inclusion: roots.inclusion(placeOf(row), head) }),
          head,
          before: roots.before(head, HEADS_BEFORE),
          keys: roots.keys(),
          hoster: inventory.hoster,
          simulated: inventory.simulated,
        },
        sha256,
      )
      // Through JSON: what is undefined is left out before it is signed.
      const plain = gathered && (JSON.parse(JSON.stringify(gathered)) as object)
      return plain && canonicalJson({ ...plain, signature: key.sign(signedText(plain)) })
    },
  }
}

/** Who had guests in it; one whom nobody knows any more keeps his id for a name. */
async function customersIn(
  rows: readonly JournalRow[],
  inventory: Pick<Inventory, 'customer'>,
): Promise<readonly Customer[]> {
  const ids = new Set(originsOf(rows).flatMap(({ customer }) => customer ?? []))
  // Several may have been: together they are nobody.
  ids.delete(customerId(ERASED))
  return Promise.all(
    [...ids].map(async (id) => (await inventory.customer(id)) ?? { id, name: customerId(id), language: 'en' as const }),
  )
}
