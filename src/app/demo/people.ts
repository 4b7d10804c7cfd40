/** The people of the demo, who act over the same URLs as anybody: an operator who approves, and the lab's technician who answers. */
import type { JournalRow } from '#domain/event'
import type { WorkOrderAnswer } from '#domain/maintenance'
import { awaitsApproval, type MaintenanceView, viewOf } from '#domain/view'

export type Told = { readonly id: string; readonly rows: readonly JournalRow[]; readonly view: MaintenanceView }

/** A control plane that is starting, or being killed, is asked again: undefined. */
async function ask<T>(url: string, init?: RequestInit): Promise<T | undefined> {
  try {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(CALL_LIMIT_MS) })
    return answer.ok ? ((await answer.json()) as T) : undefined
  } catch {
    return undefined
  }
}

const CALL_LIMIT_MS = 10_000

const post = (url: string, key: string, body: unknown) =>
  ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  })

/** What the control plane tells of the story's maintenance; undefined while there is none. */
export async function hearStory(url: string, known: Told | undefined): Promise<Told | undefined> {
  const id = known?.id ?? (await firstMaintenance(url))
  if (id === undefined) return undefined
  const after = known?.rows.at(-1)?.seq ?? 0
  const answer = await ask<{ rows: JournalRow[] }>(`${url}/api/maintenances/${id}/journal?after=${after}`)
  if (answer === undefined || answer.rows.length === 0) return known
  const rows = [...(known?.rows ?? []), ...answer.rows]
  return { id, rows, view: viewOf(rows) }
}

async function firstMaintenance(url: string): Promise<string | undefined> {
  const answer = await ask<{ maintenances: { id: string }[] }>(`${url}/api/maintenances`)
  return answer?.maintenances[0]?.id
}

/** Approves the plan that waits. The same plan again changes nothing. */
export async function approveAsOperator(url: string, { id, view }: Told): Promise<void> {
  if (view.plan === undefined || view.gate !== undefined || !awaitsApproval(view)) return
  const message = { kind: 'approve', by: 'olga', plan: view.plan.id, lifted: [], reason: 'read and agreed (demo)' }
  await post(`${url}/api/maintenances/${id}/control`, `demo-approve-${view.plan.id}`, message)
}

type LabOrders = {
  readonly workOrders: readonly { readonly answers: readonly { readonly answer: WorkOrderAnswer }[] }[]
}

/** Carries the lab technician's answers to the control plane, each once. */
export async function carryAnswers(url: string, control: string, { id }: Told, carried: Set<string>): Promise<void> {
  const orders = await ask<LabOrders>(`${control}/work-order`)
  for (const { answers } of orders?.workOrders ?? []) {
    for (const [index, { answer }] of answers.entries()) {
      const key = `demo-answer-${answer.order}-${index}`
      if (carried.has(key)) continue
      const { order, ...rest } = answer
      const taken = await post(`${url}/api/maintenances/${id}/work-orders/${order}/answer`, key, rest)
      if (taken !== undefined) carried.add(key)
    }
  }
}

/** The seed story's fault, once: a fan that drops out and comes back. */
export async function breakFan(
  control: string,
  fault: { readonly node: string; readonly dropoutsPerDay: number; readonly pullsCords: boolean },
): Promise<void> {
  const { node, dropoutsPerDay, pullsCords } = fault
  const known = await ask<{ faults: readonly unknown[] }>(`${control}/faults`)
  if (known === undefined || known.faults.length > 0) return
  await post(`${control}/faults`, 'hands', {
    kind: 'technician',
    does: 'repairs',
    arrivesAfterMin: 4,
    worksMin: 10,
    pullsCords,
  })
  await post(`${control}/faults`, 'fan', { kind: 'fan-flap', node, part: 'FAN3', dropoutsPerDay, dropoutS: 30 })
}

export const readTruth = (control: string) =>
  ask<{ brokenPromises: readonly unknown[]; nowMs: number; startedTwice: readonly unknown[] }>(`${control}/world`)
