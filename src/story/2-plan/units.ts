/** Guests that move as one: running partners of a strict keep-together rule on one node. */
import type { Guest, Rule } from '#domain/guest'
import type { Vmid } from '#domain/ids'

/** Groups of guests, each on one node and with one `keyOf`; most groups are one guest. */
export function groupUnits(
  guests: readonly Guest[],
  rules: readonly Rule[],
  keyOf: (guest: Guest) => string = ({ node }) => node,
): readonly (readonly Guest[])[] {
  const byId = new Map(guests.map((guest) => [guest.vmid, guest]))
  const leader = new Map<Vmid, Vmid>()
  const find = (id: Vmid): Vmid => {
    let root = id
    for (let up = leader.get(root); up !== undefined; up = leader.get(root)) root = up
    return root
  }
  for (const rule of rules) {
    if (rule.kind !== 'keep-together' || !rule.strict) continue
    const firstOn = new Map<string, Vmid>()
    for (const id of rule.guests) {
      const guest = byId.get(id)
      if (guest === undefined) continue
      const key = `${guest.node} ${keyOf(guest)}`
      const first = firstOn.get(key)
      if (first === undefined) firstOn.set(key, id)
      else if (find(first) !== find(id)) leader.set(find(id), find(first))
    }
  }
  const groups = new Map<Vmid, Guest[]>()
  for (const guest of guests) {
    const root = find(guest.vmid)
    const group = groups.get(root)
    if (group) group.push(guest)
    else groups.set(root, [guest])
  }
  return [...groups.values()]
}
