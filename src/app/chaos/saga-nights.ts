/** The nights on which the whole saga is cut, repeated and refused: each goes another way through the story. */
import { readFileSync } from 'node:fs'
import type { Guest } from '#domain/guest'
import { nodeName, vmid } from '#domain/ids'
import type { Snapshot } from '#domain/snapshot'
import { parseSnapshot } from '#drivers/snapshot/snapshot-file'
import { NODE_TO_REPAIR, SNAPSHOT } from '../demo/cluster.ts'
import { parseScript, type ScriptLine } from '../night/script.ts'

export type SagaNight = {
  readonly name: string
  readonly snapshot: Snapshot
  readonly script: readonly ScriptLine[]
}

const START = `+0s: start ${NODE_TO_REPAIR} FAN3 it rattles`
const BEGIN = `${START}\neach plan-proposed +2m: approve`

/** Every way that a person can end it, and the moment at which he does. */
const ABORTS: Readonly<Record<string, string>> = {
  plan: 'after plan-proposed +1m',
  drain: 'after stage-began drain +45s',
  isolate: 'after did shutdown accepted +5s',
  repair: 'after stage-began repair +5m',
  verify: 'after stage-began verify +2m',
  reintegrate: 'after stage-began reintegrate +40s',
}

export function sagaNights(): readonly SagaNight[] {
  const snapshot = demoSnapshot()
  const of = (name: string, script: string, cluster = snapshot): SagaNight => ({
    name,
    snapshot: cluster,
    script: parseScript(script),
  })
  const aborted = Object.entries(ABORTS).map(([stage, when]) =>
    of(`abort-${stage}`, `${stage === 'plan' ? START : BEGIN}\n${when}: abort the customer says no`),
  )
  return [
    of('plain', BEGIN),
    of('mixed', BEGIN, withEveryKind(snapshot)),
    of('paused', `${BEGIN}\n${PAUSES}`),
    of('back-to-repair', `+0s: fault {"kind":"dimm-missing-after-repair"}\n${BEGIN}`),
    ...aborted,
  ]
}

/** In the middle of a move, while hands are inside, and on the way home. */
const PAUSES = `after intends guest 102 +17s: pause
after paused +30m: resume
after stage-began repair +3m: pause
after stage-began repair +13m: resume
after stage-began reintegrate +20s: pause
after stage-began reintegrate +10m: resume`

function demoSnapshot(): Snapshot {
  const parsed = parseSnapshot(readFileSync(SNAPSHOT, 'utf8'))
  if (!parsed.ok) throw new Error(`${SNAPSHOT}: ${parsed.faults.join('; ')}`)
  return parsed.snapshot
}

/** Containers that restart, one of them by HA; a stopped guest that the node would start; rules of every kind. */
function withEveryKind(snapshot: Snapshot): Snapshot {
  const { cluster } = snapshot
  const changes: Readonly<Record<number, Partial<Guest>>> = {
    103: { kind: 'ct' },
    106: { kind: 'ct' },
    107: { onboot: true },
  }
  const pin = {
    kind: 'pin',
    guests: [vmid(101)],
    nodes: ['pve1', NODE_TO_REPAIR].map(nodeName),
    strict: false,
  } as const
  const guests = cluster.guests.map((guest) => ({ ...guest, ...changes[guest.vmid] }))
  const policy = { ...snapshot.policy, allowRestart: [vmid(103), vmid(106)] }
  return { ...snapshot, policy, cluster: { ...cluster, guests, rules: [...cluster.rules, pin] } }
}
