/** What goes wrong in a night now and then: each with its chance, drawn from the seed. */
import type { NodeName, Vmid } from '#domain/ids'
import { drawAt } from '#domain/random'
import type { Snapshot } from '#domain/snapshot'
import { parseScript, type ScriptLine } from '../night/script.ts'

type Dice = {
  readonly pick: <T>(items: readonly T[]) => T | undefined
  /** A whole number from `low` to `high`. */
  readonly between: (low: number, high: number) => number
}

type Scene = {
  readonly snapshot: Snapshot
  readonly node: NodeName
  readonly leaving: readonly Vmid[]
  readonly dice: Dice
}

type Typical = {
  readonly name: string
  /** Nights in a hundred, or guests in a hundred of those on the node. */
  readonly percent: number
  readonly of: 'nights' | 'guests'
  /** Lines of a script; none where this cluster has nothing that it could strike. */
  readonly strike: (scene: Scene, guest: Vmid | undefined) => readonly string[]
}

const fault = (when: string, what: Readonly<Record<string, unknown>>) => `${when}: fault ${JSON.stringify(what)}`
const inDrain = ({ dice }: Scene) => `after stage-began drain +${dice.between(1, 120)}s`
const anyTime = ({ dice }: Scene) => `+${dice.between(60, 7200)}s`
const others = ({ snapshot, node }: Scene) =>
  snapshot.cluster.nodes.filter(({ name, online }) => online && name !== node)
const withCeph = ({ snapshot }: Scene, lines: readonly string[]) => (snapshot.ceph === 'none' ? [] : lines)

/** Estimates of ours, not measurements: shown with every rehearsal that uses them. */
const TYPICAL: readonly Typical[] = [
  {
    name: 'a migration fails once',
    percent: 0.5,
    of: 'guests',
    strike: (_, guest) => [fault('+1s', { kind: 'migration-fails', guest, times: 1 })],
  },
  {
    name: 'a guest writes faster than it can be copied, for an hour or two',
    percent: 0.1,
    of: 'guests',
    strike: (scene, guest) => [
      fault('+1s', { kind: 'migration-never-converges', guest }),
      fault(`+${scene.dice.between(60, 120)}m`, { kind: 'mended', what: 'migration-never-converges' }),
    ],
  },
  {
    name: 'a backup holds a guest',
    percent: 5,
    of: 'nights',
    strike: (scene) => {
      const guest = scene.dice.pick(scene.leaving)
      const forS = scene.dice.between(300, 2400)
      return guest === undefined ? [] : [fault(inDrain(scene), { kind: 'guest-locked', guest, forS })]
    },
  },
  {
    name: 'somebody starts a guest on the node',
    percent: 3,
    of: 'nights',
    strike: (scene) => [fault(inDrain(scene), { kind: 'guest-appears', node: scene.node })],
  },
  {
    name: 'HA, or a colleague, moves a guest',
    percent: 2,
    of: 'nights',
    strike: (scene) => {
      const managed = scene.snapshot.cluster.guests.filter(({ ha, status }) => ha.managed && status === 'running')
      const guest = scene.dice.pick(managed)?.vmid
      return guest === undefined ? [] : [fault(inDrain(scene), { kind: 'ha-moves', guest })]
    },
  },
  {
    name: 'Proxmox answers every fifth call with an error, for some minutes',
    percent: 5,
    of: 'nights',
    strike: (scene) => [
      fault(anyTime(scene), { kind: 'api-error', api: 'proxmox', rate: 0.2, forS: scene.dice.between(60, 600) }),
    ],
  },
  {
    name: 'the answer to a migration is lost',
    percent: 3,
    of: 'nights',
    strike: (scene) => [fault(inDrain(scene), { kind: 'answer-lost', api: 'proxmox', path: 'migrate', times: 1 })],
  },
  {
    name: 'the BMC is silent for some minutes',
    percent: 5,
    of: 'nights',
    strike: (scene) => [
      fault(anyTime(scene), { kind: 'bmc-silent', node: scene.node, forS: scene.dice.between(60, 900) }),
    ],
  },
  {
    name: 'the node hangs in its shutdown',
    percent: 2,
    of: 'nights',
    strike: ({ node }) => [fault('+1s', { kind: 'node-hangs', node, when: 'shutdown' })],
  },
  {
    name: 'Ceph recovers something else',
    percent: 3,
    of: 'nights',
    strike: (scene) =>
      withCeph(scene, [fault(anyTime(scene), { kind: 'pgs-degraded', count: 3, forS: scene.dice.between(300, 3000) })]),
  },
  {
    name: 'slow ops in Ceph',
    percent: 3,
    of: 'nights',
    strike: (scene) =>
      withCeph(scene, [fault(anyTime(scene), { kind: 'slow-ops', count: 5, forS: scene.dice.between(60, 900) })]),
  },
  {
    name: 'somebody clears noout',
    percent: 1,
    of: 'nights',
    strike: (scene) => withCeph(scene, [fault('after stage-began repair +10m', { kind: 'noout-cleared-by-other' })]),
  },
  {
    name: 'another node dies, and is back after one to four hours',
    percent: 0.2,
    of: 'nights',
    strike: (scene) => {
      const node = scene.dice.pick(others(scene))?.name
      if (node === undefined) return []
      const atS = scene.dice.between(120, 7200)
      return [
        fault(`+${atS}s`, { kind: 'node-dead', node }),
        fault(`+${atS + scene.dice.between(3600, 14_400)}s`, { kind: 'mended', what: 'node-dead', node }),
      ]
    },
  },
  {
    name: 'corosync loses quorum for some minutes',
    percent: 0.2,
    of: 'nights',
    strike: (scene) => [fault(anyTime(scene), { kind: 'quorum-lost', forS: scene.dice.between(60, 600) })],
  },
  {
    name: 'the technician reads the wrong serial first',
    percent: 2,
    of: 'nights',
    strike: () => [fault('+1s', { kind: 'technician', does: 'wrong-serial-first' })],
  },
  {
    name: 'the technician finds nothing',
    percent: 3,
    of: 'nights',
    strike: () => [fault('+1s', { kind: 'technician', does: 'finds-nothing' })],
  },
  {
    name: 'a DIMM is missing after the repair',
    percent: 2,
    of: 'nights',
    strike: () => [fault('+1s', { kind: 'dimm-missing-after-repair' })],
  },
]

/** What may go wrong, and how often, in words. */
export const typicalFaultTexts = (): readonly string[] =>
  TYPICAL.map(({ name, percent, of }) => `${name}: ${percent} % of ${of}`)

/** The faults of one night: a script to be played with the story's own. `names`: what strikes, in words. */
export function typicalFaults(
  snapshot: Snapshot,
  node: NodeName,
  seed: number,
): { readonly script: readonly ScriptLine[]; readonly names: readonly string[] } {
  const leaving = snapshot.cluster.guests
    .filter((guest) => guest.node === node && guest.status === 'running')
    .map(({ vmid }) => vmid)
  const lines: string[] = []
  const names: string[] = []
  for (const typical of TYPICAL) {
    const subjects = typical.of === 'nights' ? [undefined] : leaving
    for (const guest of subjects) {
      const subject = `typical/${typical.name}/${guest ?? 'night'}`
      if (drawAt(seed, subject, 0) * 100 >= typical.percent) continue
      const struck = typical.strike({ snapshot, node, leaving, dice: diceOf(seed, subject) }, guest)
      if (struck.length > 0) names.push(guest === undefined ? typical.name : `${typical.name}: guest ${guest}`)
      lines.push(...struck)
    }
  }
  return { script: parseScript(lines.join('\n')), names }
}

function diceOf(seed: number, subject: string): Dice {
  let drawn = 1
  const draw = () => drawAt(seed, subject, drawn++)
  return {
    pick: (items) => items[Math.floor(draw() * items.length)],
    between: (low, high) => low + Math.floor(draw() * (high - low + 1)),
  }
}
