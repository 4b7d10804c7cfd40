/** What every Hypervisor must do: the driver over recordings, the driver against the lab's wire, the lab's port in memory. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ClusterObservation } from '#domain/cluster'
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName, type Vmid, vmid } from '#domain/ids'
import type { Hypervisor, MigrationHandle, MigrationProgress } from '#ports/hypervisor'

export type HypervisorSubject = {
  readonly hypervisor: Hypervisor
  /** A running vm on `source` that may move to `target`, without local disks, not under HA. */
  readonly guest: Vmid
  readonly source: NodeName
  readonly target: NodeName
  /** The subject's time. */
  nowMs(): Promise<number>
  /** Lets its world go on by about so much: a recording plays its next answers. */
  goOn(seconds: number): Promise<void>
  close(): Promise<void>
}

const NOBODY = vmid(999)
const NOWHERE = nodeName('pve9')
const FOLLOW_LIMIT = 400

export function hypervisorContract(name: string, begin: () => Promise<HypervisorSubject>): void {
  describe(`hypervisor contract: ${name}`, () => {
    let subject: HypervisorSubject
    beforeEach(async () => {
      subject = await begin()
    })
    afterEach(() => subject.close())
    for (const [promise, holds] of Object.entries({ ...LOOKS, ...MOVES, ...NODES })) test(promise, () => holds(subject))
  })
}

type Promises = Readonly<Record<string, (subject: HypervisorSubject) => Promise<void>>>

const liveMove = ({ guest, source, target }: HypervisorSubject) => ({
  guest,
  from: source,
  to: target,
  mode: 'live' as const,
  withLocalDisks: false,
})

async function toItsEnd(subject: HypervisorSubject, handle: MigrationHandle): Promise<MigrationProgress> {
  for (let looks = 0; looks < FOLLOW_LIMIT; looks++) {
    const progress = await subject.hypervisor.follow(handle)
    if (progress.is === 'ended') return progress
    await subject.goOn(2)
  }
  throw new Error(`the migration did not end within ${FOLLOW_LIMIT} looks`)
}

const LOOKS: Promises = {
  async 'a look shows every node and guest once, where each node says that it is, and is not blind'(subject) {
    const seen: ClusterObservation = await subject.hypervisor.observe()
    expect(seen.blind).toEqual([])
    expect(seen.quorate).toBe(true)
    expect(new Set(seen.nodes.map((node) => node.name)).size).toBe(seen.nodes.length)
    expect(new Set(seen.guests.map((guest) => guest.vmid)).size).toBe(seen.guests.length)
    const guest = seen.guests.find((one) => one.vmid === subject.guest)
    expect(guest).toMatchObject({ kind: 'vm', node: subject.source, status: 'running' })
    for (const node of seen.nodes) {
      expect(node.cpuCores).toBeGreaterThan(0)
      expect(node.memoryBytes).toBeGreaterThan(0)
      expect(node.linkBitsPerSecond).toBeGreaterThan(0)
    }
  },

  async 'a look that avoids a node shows the same cluster'(subject) {
    const whole = await subject.hypervisor.observe()
    const avoiding = await subject.hypervisor.observe({ avoid: subject.source })
    expect(avoiding.guests.map((guest) => guest.vmid)).toEqual(whole.guests.map((guest) => guest.vmid))
    expect(avoiding.blind).toEqual([])
  },

  async 'a guest is located by its node; one that nobody has is missing'({ hypervisor, guest, source }) {
    expect(await hypervisor.locate(guest)).toMatchObject({ is: 'at', node: source, status: 'running' })
    expect(await hypervisor.locate(NOBODY)).toEqual({ is: 'missing' })
  },

  async 'a guest is located where it was expected, and where it was not'({ hypervisor, guest, source, target }) {
    for (const expected of [source, target, NOWHERE]) {
      expect(await hypervisor.locate(guest, expected)).toMatchObject({ is: 'at', node: source, status: 'running' })
    }
    expect(await hypervisor.locate(NOBODY, source)).toEqual({ is: 'missing' })
  },

  async 'a look again sees the same cluster as a whole look'({ hypervisor, source }) {
    const whole = await hypervisor.observe({ avoid: source })
    const again = await hypervisor.observe({ avoid: source, again: true })
    expect({ ...again, observedAtMs: 0 }).toEqual({ ...whole, observedAtMs: 0 })
  },

  async 'the cluster’s list knows who runs on a node too'({ hypervisor, guest, source, target }) {
    expect(await hypervisor.listedOn(source)).toContain(guest)
    expect(await hypervisor.listedOn(target)).not.toContain(guest)
  },

  async 'who runs on a node is that node’s own word'({ hypervisor, guest, source, target }) {
    expect(await hypervisor.runningOn(source)).toContain(guest)
    expect(await hypervisor.runningOn(target)).not.toContain(guest)
  },
}

const MOVES: Promises = {
  async 'a live move is found while it runs, ends with a measured blackout, and the guest is there'(subject) {
    const { hypervisor, guest, source, target } = subject
    const query = { guest, from: source, sinceMs: await subject.nowMs() }
    const handle = await hypervisor.migrate(liveMove(subject))
    expect(await hypervisor.findMigration(query)).toBe(handle)
    const end = await toItsEnd(subject, handle)
    expect(end).toMatchObject({ is: 'ended', outcome: 'ok' })
    if (end.is !== 'ended' || end.outcome !== 'ok' || end.blackout === 'unmeasured') throw new Error('unmeasured')
    expect(end.blackout.blackoutMs).toBeGreaterThan(0)
    await subject.goOn(30)
    expect(await hypervisor.locate(guest)).toMatchObject({ is: 'at', node: target })
    expect(await hypervisor.findMigration(query)).toBe(handle)
  },

  async 'a move that is cancelled leaves the guest running at its source'(subject) {
    const { hypervisor, guest, source } = subject
    await hypervisor.cancelMigration(await hypervisor.migrate(liveMove(subject)))
    expect(await hypervisor.locate(guest)).toMatchObject({ is: 'at', node: source, status: 'running' })
  },

  async 'no migration is found that nobody began'({ hypervisor, target, nowMs }) {
    expect(await hypervisor.findMigration({ guest: NOBODY, from: target, sinceMs: await nowMs() })).toBeUndefined()
  },

  async 'a task that is gone ends as unknown, never as ok'({ hypervisor, source }) {
    const gone = `UPID:${source}:00000001:00000001:6B029A45:qmigrate:100:root@pam:`
    expect(await hypervisor.follow(gone)).toMatchObject({ is: 'ended', outcome: 'unknown' })
  },

  async 'a guest that is not there, and a target that does not exist, are refused for good'(subject) {
    for (const changes of [{ guest: NOBODY }, { to: NOWHERE }]) {
      const move = { ...liveMove(subject), ...changes }
      const error = await subject.hypervisor.migrate(move).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(DriverError)
      expect((error as DriverError).retry).toBe('never')
    }
    expect(await subject.hypervisor.locate(subject.guest)).toMatchObject({ is: 'at', node: subject.source })
  },
}

const NODES: Promises = {
  async 'nodes are online by the cluster’s word; of a stranger it has none'({ hypervisor, source }) {
    expect(await hypervisor.nodeOnline(source)).toBe(true)
    await expect(hypervisor.nodeOnline(NOWHERE)).rejects.toMatchObject({ name: 'DriverError', retry: 'never' })
  },

  async 'maintenance mode is off, until somebody sets it where it can be set'({ hypervisor, source, goOn }) {
    expect(await hypervisor.maintenanceMode(source)).not.toBe('on')
    if ((await hypervisor.setMaintenanceMode(source, true)) === 'unavailable') return
    await goOn(60)
    expect(await hypervisor.maintenanceMode(source)).toBe('on')
  },

  async 'hardware says what is known, and unknown for the rest'({ hypervisor, source }) {
    const hardware = await hypervisor.hardware(source)
    for (const value of Object.values(hardware)) expect(value).not.toBeUndefined()
    expect(hardware.versions.kernel ?? hardware.versions.pve).toBeDefined()
  },
}
