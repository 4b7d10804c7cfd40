/** Draws a fault of any kind that the lab knows, with fields as its schema wants them, and what mends it. */
import { z } from 'zod'
import type { SnapshotFile } from '#drivers/snapshot/snapshot-schema'
import { CEPH_FAULTS } from '#lab/faults/ceph-faults'
import { FAULT_FIELDS, type FaultKind } from '#lab/faults/kinds'
import { MENDABLE } from '#lab/faults/mend'
import type { Chance } from './chance.ts'

export type FaultFile = { readonly kind: string; readonly [field: string]: unknown }
export type DrawnFault = { readonly fault: FaultFile; readonly mends: readonly FaultFile[] }

/** What strikes the cluster in which `node` is maintained. */
export type Scene = { readonly snapshot: SnapshotFile; readonly node: string }

/** Hands are drawn apart (draw-people), and mending is no fault. */
const NOT_DRAWN: readonly string[] = ['mended', 'technician']
export const DRAWN_KINDS = (Object.keys(FAULT_FIELDS) as FaultKind[]).filter((kind) => !NOT_DRAWN.includes(kind))

const FLAGS = ['noout', 'norecover', 'nobackfill', 'norebalance', 'noup', 'noin', 'pause', 'nodown', 'noscrub'] as const
const STATUSES = [500, 503, 595, 596] as const

/** Undefined where this cluster cannot have such a fault: no Ceph, no guests. */
export function drawFault(chance: Chance, kind: FaultKind, scene: Scene): DrawnFault | undefined {
  const { snapshot } = scene
  if (Object.hasOwn(CEPH_FAULTS, kind) && snapshot.ceph === undefined) return undefined
  const fault: Record<string, unknown> = { kind }
  const { shape } = FAULT_FIELDS[kind]
  for (const [field, schema] of Object.entries(shape) as [string, z.ZodType][]) {
    const value = fieldOf(chance, field, schema, scene)
    if (value === NOTHING) {
      if (!schema.safeParse(undefined).success) return undefined
    } else fault[field] = value
  }
  return { fault: fault as FaultFile, mends: mendsOf(fault as FaultFile) }
}

const NOTHING = Symbol('nothing')

type Draw = (chance: Chance, scene: Scene) => unknown

/** The maintained node is struck as often as all others together. */
const nodeNear: Draw = (chance, { snapshot, node }) => (chance.isLikely(0.5) ? node : chance.pick(snapshot.nodes).name)

const guestNear: Draw = (chance, { snapshot, node }) => {
  const here = snapshot.guests.filter((guest) => guest.node === node)
  const all = chance.isLikely(0.6) && here.length > 0 ? here : snapshot.guests
  return all.length === 0 ? NOTHING : chance.pick(all).vmid
}

const sometimes =
  (share: number, draw: Draw): Draw =>
  (chance, scene) =>
    chance.isLikely(share) ? draw(chance, scene) : NOTHING

/** Fields by name: one name means one thing in every kind. */
const FIELDS: Readonly<Record<string, Draw>> = {
  node: nodeNear,
  to: sometimes(0.3, (chance, { snapshot }) => chance.pick(snapshot.nodes).name),
  guest: guestNear,
  nodes: (chance, { snapshot }) => chance.sample(snapshot.nodes, 2).map(({ name }) => name),
  // Another maintenance takes no lease on a host where one may stand: that of this night.
  host: (chance, { snapshot, node }) => {
    const others = snapshot.nodes.filter(({ name }) => name !== node)
    return chance.isLikely(0.5) ? 'ceph9' : chance.pick(others).name
  },
  osd: (chance, { snapshot }) => (snapshot.ceph?.osds.length ? chance.pick(snapshot.ceph.osds).id : NOTHING),
  flag: (chance) => chance.pick(FLAGS),
  status: (chance) => chance.pick(STATUSES),
  rate: (chance) => Number((0.2 + 0.8 * chance.next()).toFixed(2)),
  times: (chance) => chance.between(1, 4),
  count: (chance) => chance.between(1, 8),
  s: (chance) => chance.between(10, 300),
  forS: (chance) => chance.between(30, 2400),
  afterS: (chance) => chance.between(10, 1800),
  delayMs: (chance) => chance.between(500, 60_000),
  dropoutsPerDay: (chance) => chance.between(4, 24),
  perDay: (chance) => chance.between(4, 24),
  worksMin: (chance) => chance.between(1, 120),
  vmid: () => NOTHING,
}

function fieldOf(chance: Chance, field: string, schema: z.ZodType, scene: Scene): unknown {
  const draw = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined
  if (draw !== undefined) return draw(chance, scene)
  const inner = bare(schema)
  if (inner instanceof z.ZodEnum) return chance.isLikely(0.8) ? chance.pick(inner.options) : NOTHING
  if (inner instanceof z.ZodBoolean) return chance.isLikely(0.5)
  return NOTHING
}

function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return bare(schema.unwrap() as z.ZodType)
  return schema
}

/** Nothing for what ends by itself or harms nobody for long. */
function mendsOf({ kind, ...fields }: FaultFile): readonly FaultFile[] {
  const mended = (what: string, more: object = {}): FaultFile => ({ kind: 'mended', what, ...more })
  const about = typeof fields.node === 'string' ? { node: fields.node } : {}
  switch (kind) {
    case 'node-hangs':
      return [mended('node-hangs', about), mended('node-dead', about)]
    case 'pgs-degraded':
    case 'pgs-inconsistent':
      return [mended('pgs')]
    case 'ceph-flag':
      return [mended('ceph-flag', { flag: fields.flag, ...about })]
    case 'noout-set-by-other':
      return [mended('ceph-flag', { flag: 'noout', ...about })]
    case 'watchdog-armed':
      return [mended('lrm-state', about)]
    case 'qemu-older':
    case 'lrm-state':
    case 'bmc-silent':
    case 'maintenance-mode-by-other':
    case 'node-dead':
      return [mended(kind, about)]
    default:
      return MENDABLE.some((what) => what === kind) ? [mended(kind)] : []
  }
}
