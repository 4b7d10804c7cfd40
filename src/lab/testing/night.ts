/** One maintenance by hand over the ports, with its intents told: the world's own tests need a whole night without the story. */
import type { Act } from '#domain/act'
import { type NodeName, type Vmid, workOrderId } from '#domain/ids'
import { labPorts } from '#lab/ports/lab-ports'
import { noteIntent, noteInterlock } from '#lab/world/journal'
import type { LabWorld } from '#lab/world/lab-world'
import { issueWorkOrder, takeAnswers } from '#lab/world/technician'

const POLL_MS = 1_000
const LIMIT_MS = 6 * 3_600_000

type Ports = ReturnType<typeof labPorts>

/** A state of things that is waited for; the limit makes a night that hangs a failed test. */
export async function waitFor(
  lab: LabWorld,
  what: string,
  holds: () => Promise<boolean>,
  everyMs = POLL_MS,
): Promise<void> {
  const limitAtMs = lab.state.nowMs + LIMIT_MS
  while (!(await holds())) {
    if (lab.state.nowMs > limitAtMs) throw new Error(`waited for ever: ${what}`)
    lab.advanceTo(lab.state.nowMs + everyMs)
  }
}

export class Night {
  readonly lab: LabWorld
  readonly ports: Ports
  readonly node: NodeName

  constructor(lab: LabWorld, node: NodeName) {
    this.lab = lab
    this.ports = labPorts(lab)
    this.node = node
  }

  #intend(act: Act): void {
    noteIntent(this.lab.state, act)
  }

  async move(guest: Vmid, from: NodeName, to: NodeName, purpose: 'drain' | 'home'): Promise<void> {
    const { hypervisor } = this.ports
    const at = await hypervisor.locate(guest)
    if (at.is !== 'at' || at.node !== from) return
    const kind = this.lab.state.guests[guest]?.spec.kind
    const mode = at.status === 'stopped' ? 'offline' : kind === 'ct' ? 'restart' : 'live'
    this.#intend({ kind: 'migrate', guest, from, to, mode, purpose })
    const handle = await hypervisor.migrate({ guest, from, to, mode, withLocalDisks: false })
    await waitFor(this.lab, `guest ${guest} moved`, async () => (await hypervisor.follow(handle)).is === 'ended')
  }

  async isolate(): Promise<void> {
    const { hypervisor, storage, bmc } = this.ports
    const { node, lab } = this
    const expiresAtMs = lab.state.nowMs + 4 * 3_600_000
    const setAtMs = lab.state.nowMs
    this.#intend({ kind: 'put-lease', node, expiresAtMs })
    await storage.writeLease({ owner: 'night', host: node, reason: 'fan', setAtMs, expiresAtMs, flagsBefore: [] })
    this.#intend({ kind: 'set-noout', node, scope: 'host' })
    await storage.setNoout(node)
    this.#intend({ kind: 'shut-down', node })
    await hypervisor.shutDown(node)
    await waitFor(lab, 'the node is off', async () => (await bmc.power(node)).is === 'off')
    noteInterlock(lab.state, { is: 'safe', sinceMs: lab.state.nowMs, text: 'off, empty, leased' })
  }

  async repair(): Promise<void> {
    const { lab, node } = this
    const place = await this.ports.inventory.place(node)
    const id = workOrderId(`wo-${node}`)
    const rest = {
      part: 'FAN3',
      why: 'drops out',
      checklist: [],
      powerNote: '',
      answerBeforeMs: lab.state.nowMs + LIMIT_MS,
    }
    issueWorkOrder(lab.state, { id, node, place, round: 1, ...rest })
    await waitFor(lab, 'the technician answers', async () => takeAnswers(lab.state).length > 0, 30_000)
    noteInterlock(lab.state, { is: 'not-safe', reasons: ['the repair is over'] })
  }

  async comeBack(): Promise<void> {
    const { hypervisor, storage, bmc } = this.ports
    const { lab, node } = this
    await waitFor(lab, 'the BMC answers', async () => (await bmc.power(node)).is !== 'unknown')
    this.#intend({ kind: 'power-on', node })
    if ((await bmc.power(node)).is === 'off') await bmc.powerOn(node)
    await waitFor(lab, 'the node is online', () => hypervisor.nodeOnline(node))
    await waitFor(lab, 'the OSDs are back and the PGs are clean', async () => {
      const ceph = await storage.observe()
      return (
        ceph === 'none' ||
        (ceph.osds.every(({ up }) => up) && ceph.placementGroups.clean === ceph.placementGroups.total)
      )
    })
    this.#intend({ kind: 'clear-noout', node, scope: 'host' })
    await storage.clearNoout(node)
    this.#intend({ kind: 'delete-lease', node })
    await storage.deleteLease(node)
  }

  /** Guests to wherever `target` says, one after the other. */
  async drain(target: (guest: Vmid) => NodeName): Promise<readonly Vmid[]> {
    const guests = await this.ports.hypervisor.runningOn(this.node)
    for (const guest of guests) await this.move(guest, this.node, target(guest), 'drain')
    return guests
  }
}
