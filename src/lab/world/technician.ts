/** A behaviour model of the hands in the data centre: comes after some minutes, waits for "safe", works, answers. */
import type { WorkOrder, WorkOrderAnswer } from '#domain/maintenance'
import { schedule } from './events.ts'
import { pullCords, putCordsBack } from './power.ts'
import { applySideEffect, mendSideEffects } from './side-effects.ts'
import type { World, WorldNode, WorldWorkOrder } from './state.ts'

const MINUTE_MS = 60_000
const LOOKS_AGAIN_AFTER_MS = 2 * MINUTE_MS
/** After so many looks without a "safe" he goes home. */
const LOOKS_LIMIT = 240
const WRONG_SERVER_FOR_MS = 4 * MINUTE_MS

/** The order reaches him; the same order again changes nothing. */
export function issueWorkOrder(world: World, order: WorkOrder): void {
  if (world.workOrders.some((known) => known.order.id === order.id)) return
  world.workOrders.push({ order, issuedAtMs: world.nowMs, state: 'issued', answers: [], refusals: 0 })
  if (world.technician.does === 'never-answers') return
  const atMs = world.nowMs + world.technician.arrivesAfterMin * MINUTE_MS
  schedule(world, atMs, { kind: 'technician', order: order.id, step: 'arrives' })
}

export function technicianStep(world: World, id: string, step: 'arrives' | 'ends' | 'confirms'): void {
  const order = world.workOrders.find((known) => known.order.id === id)
  const node = order && world.nodes[order.order.node]
  if (!order || !node || world.technician.does === 'never-answers') return
  if (step === 'arrives') arrive(world, order, node)
  else if (step === 'ends') endWork(world, order, node)
  else answer(world, order, node.serial)
}

function arrive(world: World, order: WorldWorkOrder, node: WorldNode): void {
  if (isWithdrawn(world)) {
    answer(world, order, node.serial)
    return
  }
  if (world.interlock === 'never-shown' || world.interlock.is !== 'safe') {
    const looks = world.draws[`looks/${order.order.id}`] ?? 0
    world.draws[`looks/${order.order.id}`] = looks + 1
    if (looks < LOOKS_LIMIT) {
      const atMs = world.nowMs + LOOKS_AGAIN_AFTER_MS
      schedule(world, atMs, { kind: 'technician', order: order.order.id, step: 'arrives' })
    }
    return
  }
  order.state = 'at-work'
  const { does, worksMin, pullsCords } = world.technician
  if (does === 'pulls-wrong-server') pullWrongServer(world, node)
  if (pullsCords) pullCords(world, node, 'technician')
  const atMs = world.nowMs + worksMin * MINUTE_MS
  schedule(world, atMs, { kind: 'technician', order: order.order.id, step: 'ends' })
}

/** He reads on his page that he shall not begin: his hands were never in, and he says so. */
const isWithdrawn = ({ interlock }: World) =>
  interlock !== 'never-shown' &&
  interlock.is === 'not-safe' &&
  interlock.reasons.some((one) => one.includes('withdrawn'))

/** He did not read the serial off the chassis: a neighbour loses its power for some minutes. */
function pullWrongServer(world: World, right: WorldNode): void {
  const wrong = wrongServerOf(world, right)
  if (!wrong) return
  pullCords(world, wrong, 'technician')
  schedule(world, world.nowMs + WRONG_SERVER_FOR_MS, { kind: 'ends-fault', what: 'cords', node: wrong.name })
}

function wrongServerOf(world: World, right: WorldNode): WorldNode | undefined {
  const others = Object.values(world.nodes).filter((node) => node !== right && node.state === 'running')
  return others.find(({ rack }) => rack === right.rack) ?? others[0]
}

function endWork(world: World, order: WorldWorkOrder, node: WorldNode): void {
  const { does } = world.technician
  if (does !== 'finds-nothing' && does !== 'cannot' && does !== 'leaves-fan-broken') mend(node)
  const sideEffect = world.technician.sideEffects.shift()
  if (sideEffect !== undefined) applySideEffect(node, sideEffect)
  else mendSideEffects(node)
  putCordsBack(world, node)
  if (does === 'wrong-serial-first' && order.refusals === 0) {
    answer(world, order, wrongServerOf(world, node)?.serial ?? 'unreadable')
    return
  }
  if (does === 'answers-late' && world.technician.answersAfterMin > 0) {
    const atMs = world.nowMs + world.technician.answersAfterMin * MINUTE_MS
    schedule(world, atMs, { kind: 'technician', order: order.order.id, step: 'confirms' })
    return
  }
  answer(world, order, node.serial)
  // His page was slow, and he pressed the button once more.
  if (does === 'answers-twice') answer(world, order, node.serial)
}

function mend(node: WorldNode): void {
  for (const fan of node.fans) {
    delete fan.flap
    fan.stopped = false
  }
  for (const sensor of node.sensors) sensor.state = 'ok'
  if (node.state === 'dead') node.state = 'off'
}

function answer(world: World, order: WorldWorkOrder, serial: string): void {
  const given = answerOf(world, order, serial)
  order.state = 'answered'
  order.answers.push({ atMs: world.nowMs, answer: given, taken: false })
}

function answerOf(world: World, workOrder: WorldWorkOrder, serial: string): WorkOrderAnswer {
  const { order } = workOrder
  const { does, name } = world.technician
  const base = { order: order.id, by: name, serial, photos: [] }
  if (isWithdrawn(world) && workOrder.state !== 'at-work')
    return { ...base, outcome: 'nothing-found', found: 'Nothing was touched.', did: [] }
  if (does === 'finds-nothing')
    return { ...base, outcome: 'nothing-found', found: 'All fans turn, connectors sit well.', did: ['looked'] }
  if (does === 'cannot') return { ...base, outcome: 'cannot', found: 'The backplane is broken.', did: ['looked'] }
  const part = order.part === 'node' ? 'the fan board' : order.part
  const did = ['cleaned', 'checked fans', 'checked bus and connectors', `swapped ${part}`]
  return { ...base, outcome: 'repaired', found: `Dust, and a loose connector at ${part}.`, did }
}

/** The page refused his answer (a wrong serial): he walks to the right server and answers again. */
export function refuseAnswer(world: World, id: string): void {
  const order = world.workOrders.find((known) => known.order.id === id)
  if (!order) return
  order.refusals++
  schedule(world, world.nowMs + 3 * MINUTE_MS, { kind: 'technician', order: id, step: 'confirms' })
}

/** A person's answer, typed in a page or a script, in place of the model's. */
export function answerWorkOrder(world: World, given: WorkOrderAnswer): void {
  const order = world.workOrders.find((known) => known.order.id === given.order)
  if (!order) return
  order.state = 'answered'
  order.answers.push({ atMs: world.nowMs, answer: given, taken: false })
}

/** Answers that nobody has taken yet, in the order they were given. */
export function takeAnswers(world: World): readonly WorkOrderAnswer[] {
  const taken: WorkOrderAnswer[] = []
  for (const order of world.workOrders) {
    for (const given of order.answers) {
      if (given.taken) continue
      given.taken = true
      taken.push(given.answer)
    }
  }
  return taken
}
