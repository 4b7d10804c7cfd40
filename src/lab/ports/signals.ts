/** A BMC's log and present readings as signals: three records an edge, ids that begin again, times that may be wrong. */
import type { NodeName } from '#domain/ids'
import type { PartKind, PartState, Signal } from '#domain/signal'
import { powerIsOn, shownSel } from '#lab/world/bmc'
import type { SelRecord, World, WorldNode } from '#lab/world/state'

const LOW_RPM = 1000

type Asked = {
  readonly world: World
  readonly chassis: WorldNode
  readonly node: NodeName
  readonly cursor: string
  readonly nowMs: number
}

/** '3/17/1795333280000': log epoch, last record, when the BMC was last reset. */
function parseCursor(cursor: string): { readonly epoch: number; readonly id: number; readonly resetAtMs: number } {
  const [epoch, id, resetAtMs] = cursor.split('/').map(Number)
  return { epoch: epoch ?? 0, id: id ?? 0, resetAtMs: resetAtMs ?? 0 }
}

export function signalsAfter(asked: Asked): { readonly signals: readonly Signal[]; readonly cursor: string } {
  const { world, chassis, node, cursor, nowMs } = asked
  const { bmc } = chassis
  const seen = parseCursor(cursor)
  const isFirst = cursor === ''
  const sameLog = !isFirst && seen.epoch === bmc.selEpoch
  const signals: Signal[] = []
  const say = (event: 'reset' | 'log-cleared' | 'log-full', atMs: number) =>
    signals.push({ is: 'bmc', atMs, receivedAtMs: nowMs, node, event })
  if (!isFirst && !sameLog) say('log-cleared', bmc.selClearedAtMs ?? nowMs)
  if (!isFirst && (bmc.resetAtMs ?? 0) > seen.resetAtMs) say('reset', bmc.resetAtMs ?? nowMs)
  const shown = shownSel(world, chassis)
  const told = new Set<number>()
  for (const record of shown) {
    // A record that is shown a second time is a record that is told again.
    const isAgain = told.has(record.id)
    told.add(record.id)
    if (sameLog && record.id <= seen.id && !isAgain) continue
    if (record.kind !== 'log' && record.sensor !== 'BMC') signals.push(asSignal(asked, record))
  }
  if (bmc.sel.length >= bmc.selCapacity) say('log-full', nowMs)
  signals.push(...presentReadings(asked))
  return { signals, cursor: `${bmc.selEpoch}/${shown.at(-1)?.id ?? 0}/${bmc.resetAtMs ?? 0}` }
}

const KINDS: Record<SelRecord['kind'], PartKind> = {
  fan: 'fan',
  psu: 'psu',
  temperature: 'temperature',
  memory: 'memory',
  log: 'other',
  other: 'other',
}

/** 'pre-init': the BMC did not know the time; our own is the only one. */
function asSignal({ node, nowMs, chassis }: Asked, record: SelRecord): Signal {
  return {
    is: 'part',
    atMs: record.atMs === 'pre-init' ? nowMs : record.atMs,
    receivedAtMs: nowMs,
    node,
    source: 'sel',
    part: record.sensor,
    kind: KINDS[record.kind],
    state: record.asserted ? record.severity : 'ok',
    edge: record.asserted ? 'assert' : 'deassert',
    ...(record.value === undefined ? {} : { value: record.value }),
    ...(record.unit === undefined ? {} : { unit: record.unit }),
    recordId: record.id,
    model: chassis.model,
  }
}

function presentReadings({ chassis, node, nowMs }: Asked): Signal[] {
  if (!powerIsOn(chassis)) return []
  const base = { is: 'part', atMs: nowMs, receivedAtMs: nowMs, node, source: 'poll', edge: null } as const
  const fans = chassis.fans
    .filter(({ rpm }) => rpm < LOW_RPM)
    .map((fan): Signal => {
      const state: PartState = fan.rpm === 0 ? 'non-recoverable' : 'warning'
      return { ...base, part: fan.part, kind: 'fan', state, value: fan.rpm, unit: 'RPM', model: chassis.model }
    })
  const sensors = chassis.sensors
    .filter(({ state }) => state !== 'ok')
    .map((sensor): Signal => {
      const kind: PartKind = sensor.kind === 'power' ? 'psu' : sensor.kind
      return { ...base, part: sensor.part, kind, state: sensor.state, value: sensor.value, unit: sensor.unit }
    })
  return [...fans, ...sensors]
}
