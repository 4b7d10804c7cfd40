/** What JSON routes and pages share when somebody acts: find, ask the table, send. */
import type { Accepted, ControlPlane, MaintenanceHead } from '#app/control-plane'
import { can } from '#domain/can'
import type { CustomerId, MaintenanceId } from '#domain/ids'
import type { ControlMessage, WorkOrderAnswer } from '#domain/maintenance'
import { notFound, notNow } from './problem.ts'

export async function headOf(controlPlane: ControlPlane, id: MaintenanceId): Promise<MaintenanceHead> {
  const head = await controlPlane.maintenance(id)
  if (head === undefined) throw notFound(`maintenance ${id}`)
  return head
}

/** Repeated under the same key it answers as before, though by then the table may say no: the first one may have caused that. */
export async function sendControl(
  controlPlane: ControlPlane,
  { id, message, key, seen }: { id: MaintenanceId; message: ControlMessage; key: string; seen: SeenKeys },
): Promise<void> {
  const { view } = await headOf(controlPlane, id)
  const allowed = can(view, message.kind)
  if (allowed.is === 'no' && !seen.has(`${id} ${key}`)) throw notNow(allowed.reason)
  if (message.kind === 'approve' && allowed.is === 'yes' && message.plan !== view.plan?.id) {
    throw notNow(`plan ${message.plan} is not the one that waits; that is ${view.plan?.id}: read it before you approve`)
  }
  must(await controlPlane.control(id, message, key), id)
  seen.add(`${id} ${key}`)
}

export async function sendAnswer(
  controlPlane: ControlPlane,
  { id, answer, key }: { id: MaintenanceId; answer: WorkOrderAnswer; key: string },
): Promise<void> {
  const { view } = await headOf(controlPlane, id)
  const work = view.workOrders.find(({ order }) => order.id === answer.order)
  if (work === undefined) throw notFound(`work order ${answer.order}`)
  // Sent twice over a bad link: the second time it has its answer already, and that is well.
  if (work.answer !== undefined && isSame(work.answer, answer)) return
  if (work.answer !== undefined) throw notNow(`work order ${answer.order} was answered by ${work.answer.by}`)
  const allowed = can(view, 'answer-work-order')
  if (allowed.is === 'no') throw notNow(allowed.reason)
  must(await controlPlane.answerWorkOrder(id, answer, key), id)
}

const isSame = (a: WorkOrderAnswer, b: WorkOrderAnswer) =>
  a.by === b.by && a.outcome === b.outcome && a.found === b.found && a.did.join('\n') === b.did.join('\n')

function must(accepted: Accepted, id: MaintenanceId): void {
  if (accepted.is === 'unknown-maintenance') throw notFound(`maintenance ${id}`)
}

export async function reportOf(controlPlane: ControlPlane, id: MaintenanceId, customer: CustomerId): Promise<string> {
  const report = await controlPlane.report(id, customer)
  if (report === undefined) throw notFound(`report for ${customer}`)
  return report.html
}

const SEEN_KEYS_LIMIT = 10_000

/** Keys that this process has sent; the engine behind keeps them for good, this only spares a repeated one a false "not now". */
export class SeenKeys {
  readonly #keys = new Set<string>()

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  add(key: string): void {
    const oldest = this.#keys.values().next()
    if (this.#keys.size >= SEEN_KEYS_LIMIT && !oldest.done) this.#keys.delete(oldest.value)
    this.#keys.add(key)
  }
}
