/** The maintenances of one night: one at a time in a cluster. Who asks while one runs asks again, as the watch does. */
import type { Event, JournalRow } from '#domain/event'
import type { Finding } from '#domain/finding'
import { clusterName, maintenanceId, type NodeName, type PlanId } from '#domain/ids'
import type { Json } from '#domain/json'
import {
  type ControlMessage,
  DEFINITION_VERSION,
  type Ending,
  type MaintenanceInput,
  type WorkOrderAnswer,
} from '#domain/maintenance'
import type { StoryPolicy } from '#domain/policy'
import type { Snapshot } from '#domain/snapshot'
import type { MemoryEngine } from '#lab/engine/memory-engine'
import { MAINTENANCE_SAGA } from '#story/maintenance'
import { owedTogether } from '#story/owed-homes'
import { INBOX } from '#story/story'

/** What became of one: its saga's own end, whatever the journal says. 'running' where the night was over before it. */
export type NightMaintenance = {
  readonly id: string
  readonly node: NodeName
  readonly ending: Ending | 'running' | 'crashed'
  readonly text: string
}

type Message = { readonly control: Json } | { readonly answer: Json }
type Sent = { readonly to: string; readonly key: string; readonly message: Message }

export class Maintenances {
  readonly #engine: MemoryEngine
  readonly #snapshot: Snapshot
  readonly #policy: StoryPolicy
  readonly #started: { readonly id: string; readonly node: NodeName }[] = []
  readonly #journals = new Map<string, JournalRow[]>()
  readonly #plans = new Map<string, PlanId>()
  readonly #orders = new Map<string, string>()
  readonly #sent: Sent[] = []

  constructor(options: { readonly engine: MemoryEngine; readonly snapshot: Snapshot; readonly policy: StoryPolicy }) {
    this.#engine = options.engine
    this.#snapshot = options.snapshot
    this.#policy = options.policy
  }

  /** 'busy': another one runs in this cluster, or is stuck and not yet released; 'there': the node has one that runs. */
  async start(finding: Finding): Promise<'started' | 'busy' | 'there'> {
    const { node } = finding
    if (this.#started.some((one) => one.node === node && !this.#engine.hasEnded(one.id))) return 'there'
    const before = this.#started.filter((one) => one.node === node).length
    const id = before === 0 ? `${node}-night` : `${node}-night-${before + 1}`
    const { cluster, ceph } = this.#snapshot
    const owed = owedTogether([...this.#journals.values()])
    const input: MaintenanceInput = {
      definitionVersion: DEFINITION_VERSION,
      id: maintenanceId(id),
      cluster: clusterName(cluster.name),
      node,
      finding,
      requestedBy: finding.class === 'operator' ? 'olga' : 'detect',
      policy: this.#policy,
      ...(owed.length === 0 ? {} : { owed }),
    }
    const exclusive = [`cluster:${cluster.name}`, ...(ceph === 'none' ? [] : [`ceph:${ceph.fsid}`])]
    const starting = this.#engine.start(MAINTENANCE_SAGA, id, input as unknown as Json, { exclusive })
    // The engine has decided by now: whoever looks before its answer arrives sees the maintenance.
    if (this.#engine.knows(id)) this.#started.push({ id, node })
    return (await starting).is === 'busy' ? 'busy' : 'started'
  }

  get count(): number {
    return this.#started.length
  }

  get haveEnded(): boolean {
    return this.#started.every(({ id }) => this.#engine.hasEnded(id))
  }

  /** The one that people speak to: the last that was started. */
  get current(): string | undefined {
    return this.#started.at(-1)?.id
  }

  planOf(id: string): PlanId | undefined {
    return this.#plans.get(id)
  }

  /** Nobody hears what is said to no maintenance. */
  say(control: ControlMessage): void {
    if (this.current !== undefined) this.#send(this.current, { control: control as unknown as Json })
  }

  answer(answer: WorkOrderAnswer): void {
    const to = this.#orders.get(answer.order) ?? this.current
    if (to !== undefined) this.#send(to, { answer: answer as unknown as Json })
  }

  /** What was said last (or the technician's last answer) once more; 'late': under a key of its own, as a person repeats himself. */
  again(what: 'message' | 'answer', how: 'same' | 'late'): void {
    const last = this.#sent.findLast(({ message }) => what === 'message' || 'answer' in message)
    if (last === undefined) return
    if (how === 'late') this.#send(last.to, last.message)
    else this.#deliver(last)
  }

  /** A person takes over from every one that is stuck. */
  release(): void {
    for (const { id } of this.#started) if (this.#engine.hasEnded(id)) void this.#engine.release(id)
  }

  note(row: JournalRow): void {
    const rows = this.#journals.get(row.maintenance)
    if (rows === undefined) this.#journals.set(row.maintenance, [row])
    else rows.push(row)
    this.#noteEvent(row.maintenance, row.event)
  }

  async results(): Promise<readonly NightMaintenance[]> {
    return Promise.all(
      this.#started.map(async ({ id, node }): Promise<NightMaintenance> => {
        const status = await this.#engine.status(id)
        if (status?.is === 'crashed') return { id, node, ending: 'crashed', text: status.text }
        if (status?.is !== 'ended') return { id, node, ending: 'running', text: '' }
        const { ending, text } = status.result as { readonly ending: Ending; readonly text: string }
        return { id, node, ending, text }
      }),
    )
  }

  #noteEvent(maintenance: string, event: Event): void {
    if (event.kind === 'plan-proposed') this.#plans.set(maintenance, event.plan.id)
    if (event.kind === 'work-order-issued') this.#orders.set(event.order.id, maintenance)
  }

  #send(to: string, message: Message): void {
    const sent = { to, key: `night-${this.#sent.length + 1}`, message }
    this.#sent.push(sent)
    this.#deliver(sent)
  }

  #deliver({ to, key, message }: Sent): void {
    void this.#engine.send(to, INBOX, { key, ...message } as Json, key)
  }
}
