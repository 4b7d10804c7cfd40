/** The BMCs: event log, fans, locate LED, and which chassis answers at an address. */
import type { NodeName } from '#domain/ids'
import { drawBetween, drawWaitMs } from './draw.ts'
import { schedule } from './events.ts'
import type { SelRecord, World, WorldFan, WorldNode } from './state.ts'

/** A fan's lower thresholds, as the recorded BMC has them: one edge crosses all three, so it writes three records. */
export const FAN_THRESHOLDS = [
  { name: 'Lower Non-critical', rpm: 1000, severity: 'warning' },
  { name: 'Lower Critical', rpm: 500, severity: 'critical' },
  { name: 'Lower Non-recoverable', rpm: 300, severity: 'non-recoverable' },
] as const

const BMC_BOOT_MS = 90_000
const DAY_MS = 86_400_000

export const powerIsOn = (node: WorldNode) => node.state !== 'off' && node.state !== 'dead'
export const ledIsOn = (world: World, { bmc }: WorldNode) =>
  bmc.locateOn && (bmc.locateUntilMs === undefined || world.nowMs < bmc.locateUntilMs)

type NewRecord = Omit<SelRecord, 'id' | 'atMs' | 'writtenAtMs'>

/** @param atMs when it was written, true time: history may be planted. */
export function writeSel(world: World, node: WorldNode, record: NewRecord, atMs = world.nowMs): void {
  const { bmc } = node
  if (bmc.sel.length >= bmc.selCapacity) return
  const id = (bmc.sel.at(-1)?.id ?? 0) + 1
  bmc.sel.push({ id, atMs: atMs + bmc.clockOffsetMs, writtenAtMs: atMs, ...record })
}

/** The log as its readers find it: a record may show late, and the last ones twice. */
export function shownSel(world: World, { bmc }: WorldNode): readonly SelRecord[] {
  const { lateByMs = 0, repeatsRecords = 0 } = bmc
  const shown = lateByMs === 0 ? bmc.sel : bmc.sel.filter(({ writtenAtMs }) => writtenAtMs + lateByMs <= world.nowMs)
  return repeatsRecords === 0 ? shown : [...shown, ...shown.slice(-repeatsRecords)]
}

export function writeFanEdge(world: World, node: WorldNode, fan: WorldFan, down: boolean, atMs = world.nowMs): void {
  for (const { name, rpm, severity } of FAN_THRESHOLDS) {
    const record: NewRecord = {
      sensor: fan.part,
      kind: 'fan',
      event: `${name} going low`,
      severity,
      asserted: down,
      value: down ? 0 : fan.nominalRpm,
      threshold: rpm,
      unit: 'RPM',
    }
    writeSel(world, node, record, atMs)
  }
}

export const fanOf = (node: WorldNode, part: string) => node.fans.find((fan) => fan.part === part)

export function turnFan(world: World, node: WorldNode, part: string, down: boolean): void {
  const fan = fanOf(node, part)
  if (!fan || !powerIsOn(node) || (fan.stopped && !down)) return
  const rpm = down ? 0 : fan.nominalRpm
  if (fan.rpm === rpm) return
  fan.rpm = rpm
  writeFanEdge(world, node, fan, down)
}

/** Without power the thresholds are not armed: fans that stand still are no event. */
export function stopFans(node: WorldNode): void {
  for (const fan of node.fans) fan.rpm = 0
}

/** With power the BMC compares anew: a fan that stands still is an edge, one that turns again ends its old one. */
export function startFans(world: World, node: WorldNode): void {
  for (const fan of node.fans) {
    fan.rpm = fan.stopped ? 0 : fan.nominalRpm
    const last = node.bmc.sel.findLast(({ sensor }) => sensor === fan.part)
    if (fan.stopped) writeFanEdge(world, node, fan, true)
    else if (last?.asserted === true) writeFanEdge(world, node, fan, false)
  }
}

export function flapNow(world: World, name: NodeName, parts: readonly string[]): void {
  const node = world.nodes[name]
  const flapping = node ? parts.filter((part) => fanOf(node, part)?.flap !== undefined) : []
  const flap = node && fanOf(node, flapping[0] ?? '')?.flap
  if (!node || !flap) return
  const subject = `fan/${name}/${flapping.join('+')}`
  if (node.state === 'running') {
    for (const part of flapping) turnFan(world, node, part, true)
    const lastsMs = flap.dropoutS * 1000 * drawBetween(world, subject, 0.5, 1.5)
    schedule(world, world.nowMs + lastsMs, { kind: 'fan-edge', node: name, parts: flapping, down: false })
  }
  scheduleFlap(world, name, flapping, flap.perDay)
}

export function scheduleFlap(world: World, node: NodeName, parts: readonly string[], perDay: number): void {
  const subject = `fan/${node}/${parts.join('+')}`
  schedule(world, world.nowMs + drawWaitMs(world, subject, DAY_MS / perDay), {
    kind: 'fan-flap',
    node,
    parts: [...parts],
  })
}

export function resetBmc(world: World, node: WorldNode): void {
  node.bmc.state = 'booting'
  node.bmc.resetAtMs = world.nowMs
  schedule(world, world.nowMs + BMC_BOOT_MS, { kind: 'bmc-up', node: node.name })
}

export function bmcIsUp(world: World, node: WorldNode): void {
  if (node.bmc.state !== 'booting') return
  node.bmc.state = 'up'
  node.bmc.sel.push({
    id: (node.bmc.sel.at(-1)?.id ?? 0) + 1,
    atMs: 'pre-init',
    writtenAtMs: world.nowMs,
    sensor: 'BMC',
    kind: 'other',
    event: 'Management controller reset',
    severity: 'ok',
    asserted: true,
  })
}

export function wipeSel(world: World, node: WorldNode): void {
  node.bmc.selEpoch++
  node.bmc.selClearedAtMs = world.nowMs
  node.bmc.sel = []
  writeSel(world, node, { sensor: 'SEL', kind: 'log', event: 'Log area reset/cleared', severity: 'ok', asserted: true })
}
