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

type KnownFault = { readonly fault: { readonly kind: string } }

/** How often the fan drops out, and whether the technician takes the cords out. */
export type DemoFault = { readonly node: string; readonly dropoutsPerDay: number; readonly pullsCords: boolean }

const storyFaults = ({ node, dropoutsPerDay, pullsCords }: DemoFault) => [
  { kind: 'technician', does: 'repairs', arrivesAfterMin: 4, worksMin: 10, pullsCords },
  { kind: 'fan-flap', node, part: 'FAN3', dropoutsPerDay, dropoutS: 30 },
]

/** The seed story's faults, each once, however often the story is taken up again: a fan that drops out and comes back, and hands. */
export async function breakFan(control: string, wanted: DemoFault): Promise<void> {
  const known = await ask<{ faults: readonly KnownFault[] }>(`${control}/faults`)
  const missing = storyFaults(wanted).filter(({ kind }) => !known?.faults.some(({ fault }) => fault.kind === kind))
  if (known !== undefined) for (const fault of missing) await post(`${control}/faults`, fault.kind, fault)
}

/** undefined: nobody answers. */
export const worldTime = async (control: string) => (await ask<{ nowMs: number }>(`${control}/time`))?.nowMs

export const readTruth = (control: string) =>
  ask<{ brokenPromises: readonly unknown[]; nowMs: number; startedTwice: readonly unknown[] }>(`${control}/world`)

/** What a customer can check offline. */
export const readEvidence = (url: string, id: string, customer: string) =>
  ask<object>(`${url}/api/maintenances/${id}/evidence/${encodeURIComponent(customer)}`)

/** What everybody can see of the journal. */
export const readRoots = (url: string) => ask<object>(`${url}/public/roots.json`)
