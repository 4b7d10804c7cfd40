/** What may happen to a cluster between a drain and the way home, for properties: from a seed. */
import type { ClusterObservation } from '#domain/cluster'
import type { Guest, Rule } from '#domain/guest'
import { type NodeName, vmid } from '#domain/ids'
import type { Node } from '#domain/node'
import type { Move } from '#domain/plan'
import { drawAt } from '#domain/random'
import { aGuest, GIB, keepApart, keepTogether, pin } from './testing.ts'

type Dice = { readonly draw: () => number; readonly pick: <T>(items: readonly T[]) => T }
type Happening = (cluster: ClusterObservation, dice: Dice) => ClusterObservation

function diceOf(seed: number, subject: string): Dice {
  let draws = 0
  const draw = () => drawAt(seed, subject, draws++)
  return { draw, pick: <T>(items: readonly T[]): T => items[Math.floor(draw() * items.length)] as T }
}

/** The guests where a plan brought them. */
export function afterMoves(
  cluster: ClusterObservation,
  moves: readonly Pick<Move, 'guest' | 'to'>[],
): ClusterObservation {
  const at = new Map(moves.map(({ guest, to }) => [guest, to]))
  return { ...cluster, guests: cluster.guests.map((guest) => ({ ...guest, node: at.get(guest.vmid) ?? guest.node })) }
}

const withGuest = (cluster: ClusterObservation, { pick }: Dice, change: (guest: Guest) => Partial<Guest>) => {
  if (cluster.guests.length === 0) return cluster
  const one = pick(cluster.guests)
  const guests = cluster.guests.map((guest) => (guest === one ? { ...guest, ...change(guest) } : guest))
  return { ...cluster, guests }
}

const withNode = (cluster: ClusterObservation, name: NodeName, change: (node: Node) => Partial<Node>) => ({
  ...cluster,
  nodes: cluster.nodes.map((node) => (node.name === name ? { ...node, ...change(node) } : node)),
})

const withRule = (cluster: ClusterObservation, rule: Rule) => ({ ...cluster, rules: [...cluster.rules, rule] })

const some = ({ guests }: ClusterObservation, { pick }: Dice, count: number): number[] => [
  ...new Set(Array.from({ length: count }, () => pick(guests).vmid as number)),
]

/** `home` is the drained node, back from repair. */
export const HAPPENINGS = {
  'a guest is deleted': (cluster, dice) => {
    const one = dice.pick(cluster.guests)
    return { ...cluster, guests: cluster.guests.filter((guest) => guest !== one) }
  },
  'HA moves a guest': (cluster, dice) => withGuest(cluster, dice, () => ({ node: dice.pick(cluster.nodes).name })),
  'a guest is stopped or started': (cluster, dice) =>
    withGuest(cluster, dice, ({ status }) => ({ status: status === 'running' ? 'stopped' : 'running' })),
  'a guest is resized': (cluster, dice) =>
    withGuest(cluster, dice, ({ memoryBytes, residentBytes }) => ({
      memoryBytes: memoryBytes * 2,
      residentBytes: residentBytes * 2,
    })),
  'a backup locks a guest': (cluster, dice) => withGuest(cluster, dice, () => ({ lock: 'backup' })),
  'an owner forbids moves': (cluster, dice) => withGuest(cluster, dice, () => ({ movable: false })),
  'a guest gets a local disk': (cluster, dice) =>
    withGuest(cluster, dice, () => ({ disks: [{ storage: 'local-zfs', bytes: 300 * GIB }] })),
  'a new keep-apart rule': (cluster, dice) => withRule(cluster, keepApart(...some(cluster, dice, 3))),
  'a new keep-together rule': (cluster, dice) => withRule(cluster, keepTogether(...some(cluster, dice, 2))),
  'a new pin': (cluster, dice) => withRule(cluster, pin(some(cluster, dice, 1), [dice.pick(cluster.nodes).name])),
  'a rule is gone': (cluster) => ({ ...cluster, rules: cluster.rules.slice(1) }),
  'a node dies': (cluster, dice) => withNode(cluster, dice.pick(cluster.nodes).name, () => ({ online: false })),
  'a node goes into maintenance': (cluster, dice) =>
    withNode(cluster, dice.pick(cluster.nodes).name, () => ({ maintenance: true })),
  'home is smaller than before': (cluster) =>
    withNode(cluster, 'pve1' as NodeName, ({ memoryBytes }) => ({ memoryBytes: memoryBytes * 0.75 })),
  'home lacks a bridge': (cluster) => withNode(cluster, 'pve1' as NodeName, () => ({ bridges: [] })),
  'an outsider fills a node': (cluster, dice) => {
    const { name } = dice.pick(cluster.nodes)
    const outsider = aGuest(90_000 + cluster.guests.length, name, { memoryBytes: 32 * GIB })
    return { ...cluster, guests: [...cluster.guests, { ...outsider, vmid: vmid(90_000 + cluster.guests.length) }] }
  },
} satisfies Record<string, Happening>

export type HappeningName = keyof typeof HAPPENINGS

export function happen(cluster: ClusterObservation, names: readonly HappeningName[], seed: number): ClusterObservation {
  return names.reduce<ClusterObservation>(
    (now, name, index) => (now.guests.length < 2 ? now : HAPPENINGS[name](now, diceOf(seed, `${name}/${index}`))),
    cluster,
  )
}
