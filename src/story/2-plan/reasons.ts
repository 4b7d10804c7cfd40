/** A reason why guests cannot leave, and how it is said: in numbers, with what would lift it. */
import type { Blocker } from '#domain/blocker'
import type { Guest, Rule } from '#domain/guest'
import type { Vmid } from '#domain/ids'
import type { Board } from './board.ts'

/** One thing that has to be lifted. `rule`: its place in the snapshot's rules. */
export type Reason =
  | { readonly kind: 'memory-short' | 'storage-short'; readonly shortBytes: number; readonly where: readonly Short[] }
  | { readonly kind: 'cpu-short'; readonly shortCores: number; readonly where: readonly Short[] }
  | { readonly kind: 'keep-apart' | 'keep-together' | 'pinned'; readonly rule: number }
  | { readonly kind: 'storage-missing' | 'bridge-missing'; readonly name: string; readonly guests: readonly Vmid[] }
  | { readonly kind: 'cpu-model' | 'qemu-older-on-target'; readonly guests: readonly Vmid[] }

export type ReasonSet = {
  readonly reasons: readonly Reason[]
  /** Proven: fewer would not do. */
  readonly isSmallest: boolean
}

/** Where so much more would do; empty where only the sum is known. */
export type Short = { readonly node: string; readonly amount: number }

const GIB = 2 ** 30
/** Guests named in one sentence; the rest is counted. */
const NAMED_LIMIT = 8
/** Nodes named as places for more room. */
const PLACES_LIMIT = 4

/** `held`: the guests that stay for this and other reasons. */
export function blockerOf(board: Board, reason: Reason, held: readonly Guest[]): Blocker {
  const who = nameGuests(held.map(({ vmid }) => vmid))
  switch (reason.kind) {
    case 'memory-short': {
      const gib = inGib(reason.shortBytes)
      return {
        kind: reason.kind,
        ...only(held),
        text: `memory short by ${gib} GiB for ${who}, ${headroomText(board)}`,
        lifts: `${gib} GiB more memory${placesText(reason.where, (bytes) => `${inGib(bytes)} GiB`)}, or ${fewestText(held, reason.shortBytes)} shut down or moved out of the cluster`,
      }
    }
    case 'cpu-short':
      return {
        kind: reason.kind,
        ...only(held),
        text: `cores short${reason.shortCores > 0 ? ` by ${inCores(reason.shortCores)}` : ''} for ${who} within a CPU overcommit of ${board.input.policy.cpuOvercommit}`,
        lifts: `room for ${reason.shortCores > 0 ? `${inCores(reason.shortCores)} cores` : 'cores'} more${placesText(reason.where, inCores)}: a higher cpuOvercommit, or guests with fewer cores`,
      }
    case 'storage-short':
      return {
        kind: reason.kind,
        ...only(held),
        text: `no node has room for the local disks of ${who}${reason.shortBytes > 0 ? `: ${inGib(reason.shortBytes)} GiB are missing` : ''}`,
        lifts: `room on the local storages${placesText(reason.where, (bytes) => `${inGib(bytes)} GiB`)}, or shared storage`,
      }
    case 'keep-apart':
    case 'keep-together':
    case 'pinned':
      return ruleBlocker(board, reason, held)
    case 'storage-missing':
      return {
        kind: reason.kind,
        ...only(reason.guests),
        text: `no node that may take ${nameGuests(reason.guests)} has the storage (${reason.name})`,
        lifts: `storage ${reason.name} is offered on such a node, or the disks move to one that the others have`,
      }
    case 'bridge-missing':
      return {
        kind: reason.kind,
        ...only(reason.guests),
        text: `no node that may take ${nameGuests(reason.guests)} has the bridge (${reason.name})`,
        lifts: `bridge ${reason.name} is made on such a node`,
      }
    case 'cpu-model':
      return {
        kind: reason.kind,
        ...only(reason.guests),
        text: `${nameGuests(reason.guests)}: CPU type "host" moves live only to an equal CPU model, and none that may take it has one with room`,
        lifts: `its owner allows a restart (policy.allowRestart: [${reason.guests.join(', ')}]), or another CPU type`,
      }
    case 'qemu-older-on-target':
      return {
        kind: reason.kind,
        ...only(reason.guests),
        text: `${nameGuests(reason.guests)}: runs on a newer QEMU than any node that may take it has, and could not be taken over live`,
        lifts: 'pve-qemu-kvm is upgraded on a node that may take it',
      }
  }
}

function ruleBlocker(
  board: Board,
  { kind, rule }: { readonly kind: 'keep-apart' | 'keep-together' | 'pinned'; readonly rule: number },
  held: readonly Guest[],
): Blocker {
  const members = board.input.cluster.rules[rule]?.guests ?? []
  const ruled = held.filter(({ vmid }) => members.includes(vmid))
  const who = nameGuests((ruled.length > 0 ? ruled : held).map(({ vmid }) => vmid))
  const name = `rules[${rule}]: ${ruleText(board.input.cluster.rules[rule])}`
  switch (kind) {
    case 'keep-apart':
      return {
        kind,
        ...only(ruled.length > 0 ? ruled : held),
        text: `a keep-apart rule leaves no node for ${who} (${name})`,
        lifts: 'one more node that may take them, or the rule is suspended by its owner',
      }
    case 'keep-together':
      return {
        kind,
        ...only(ruled.length > 0 ? ruled : held),
        text: `no node has room for all of ${nameGuests(members)}, who must stay together (${name})`,
        lifts: 'room for all of them on one node, or the rule is suspended by its owner',
      }
    case 'pinned':
      return {
        kind,
        ...only(ruled.length > 0 ? ruled : held),
        text: `${who}: a pin rule names no other node that takes guests now and has room (${name})`,
        lifts: `another node in the pin rule of ${who}`,
      }
  }
}

function ruleText(rule: Rule | undefined): string {
  if (rule === undefined) return 'none'
  const ids = rule.guests.slice(0, NAMED_LIMIT).join(', ')
  return rule.kind === 'pin' ? `pin ${ids} to ${rule.nodes.join(', ')}` : `${rule.kind} ${ids}`
}

const headroomText = (board: Board): string => {
  const percent = Math.round(1000 * board.input.policy.memoryHeadroomFraction) / 10
  return `${percent} % headroom kept`
}

/** Largest first: so few would do. */
export function fewestText(guests: readonly Guest[], bytes: number): string {
  const chosen: Vmid[] = []
  let rest = bytes
  for (const guest of guests.toSorted((a, b) => b.memoryBytes - a.memoryBytes || a.vmid - b.vmid)) {
    if (rest <= 0 && chosen.length > 0) break
    chosen.push(guest.vmid)
    rest -= guest.memoryBytes
  }
  return nameGuests(chosen)
}

const placesText = (where: readonly Short[], say: (amount: number) => string): string => {
  const named = where.slice(0, PLACES_LIMIT).map(({ node, amount }) => `${say(amount)} on ${node}`)
  const more = where.length > PLACES_LIMIT ? ` and ${where.length - PLACES_LIMIT} nodes more` : ''
  return named.length === 0 ? '' : ` (${named.join(', ')}${more})`
}

/** Rounded up: less would not do. */
export const inGib = (bytes: number): string => (Math.ceil((bytes / GIB) * 10 - 1e-6) / 10).toFixed(1)
const inCores = (cores: number): string => String(Math.ceil(cores * 100 - 1e-6) / 100)

const only = (guests: readonly (Guest | Vmid)[]): { guest?: Vmid } => {
  const [one, ...others] = guests
  if (one === undefined || others.length > 0) return {}
  return { guest: typeof one === 'number' ? one : one.vmid }
}

export function nameGuests(ids: readonly Vmid[]): string {
  const named = ids.slice(0, NAMED_LIMIT).join(', ')
  const more = ids.length > NAMED_LIMIT ? ` and ${ids.length - NAMED_LIMIT} more` : ''
  return `guest${ids.length === 1 ? '' : 's'} ${named}${more}`
}
