/** Homes that an ended maintenance still owes: guests that its journal last saw elsewhere than where they belong. */
import type { JournalRow } from '#domain/event'
import type { NodeName, Vmid } from '#domain/ids'
import type { MaintenanceInput } from '#domain/maintenance'

export type Owed = NonNullable<MaintenanceInput['owed']>

/** Pure. Of several maintenances, the newest last: what the last that knew a guest says of it. */
export function owedTogether(journals: readonly (readonly JournalRow[])[]): Owed {
  const owed = new Map<Vmid, NodeName>()
  for (const rows of journals) {
    for (const { event } of rows) {
      if (event.kind === 'origins-recorded') for (const { vmid } of event.origins) owed.delete(vmid)
    }
    for (const { guest, home } of owedHomes(rows)) owed.set(guest, home)
  }
  return [...owed].map(([guest, home]) => ({ guest, home }))
}

/** Rows of one maintenance, in order of seq. */
function owedHomes(rows: readonly JournalRow[]): Owed {
  const homeOf = new Map<Vmid, NodeName>()
  const placeOf = new Map<Vmid, NodeName>()
  for (const { event } of rows) {
    if (event.kind === 'origins-recorded') {
      // The first word holds: later ones may see a guest away from home.
      for (const { vmid, node, home } of event.origins) if (!homeOf.has(vmid)) homeOf.set(vmid, home ?? node)
    } else if (event.kind === 'guest-moved-by-others') placeOf.set(event.guest, event.to)
    else if (event.kind === 'did' && event.act.kind === 'migrate' && event.outcome.is !== 'failed')
      placeOf.set(event.act.guest, event.outcome.at ?? event.act.to)
  }
  return [...homeOf].flatMap(([guest, home]) => ((placeOf.get(guest) ?? home) === home ? [] : [{ guest, home }]))
}
