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

    const live = () => ({
      guest: subject.guest,
      from: subject.source,
      to: subject.target,
      mode: 'live' as const,
      withLocalDisks: false,
    })

    async function toItsEnd(handle: MigrationHandle): Promise<MigrationProgress> {
      for (let looks = 0; looks < FOLLOW_LIMIT; looks++) {
        const progress = await subject.hypervisor.follow(handle)
        if (progress.is === 'ended') return progress
        await subject.goOn(2)
      }
      throw new Error(`the migration did not end within ${FOLLOW_LIMIT} looks`)
    }

    test('a look shows every node and guest once, where each node says that it is, and is not blind', async () => {
      const seen: ClusterObservation = await subject.hypervisor.observe()
      expect(seen.blind).toEqual([])
      expect(seen.quorate).toBe(true)
      expect(new Set(seen.nodes.map((node) => node.name)).size).toBe(seen.nodes.length)
      expect(new Set(seen.guests.map((guest) => guest.vmid)).size).toBe(seen.guests.length)
      expect(seen.guests.find((guest) => guest.vmid === subject.guest)).toMatchObject({
        kind: 'vm',
        node: subject.source,
        status: 'running',
      })
      for (const node of seen.nodes) {
        expect(node.cpuCores).toBeGreaterThan(0)
        expect(node.memoryBytes).toBeGreaterThan(0)
        expect(node.linkBitsPerSecond).toBeGreaterThan(0)
      }
    })

    test('a look that avoids a node shows the same cluster', async () => {
      const whole = await subject.hypervisor.observe()
      const avoiding = await subject.hypervisor.observe({ avoid: subject.source })
      expect(avoiding.guests.map((guest) => guest.vmid)).toEqual(whole.guests.map((guest) => guest.vmid))
      expect(avoiding.blind).toEqual([])
    })

    test('a guest is located by its node; one that nobody has is missing', async () => {
      expect(await subject.hypervisor.locate(subject.guest)).toMatchObject({
        is: 'at',
        node: subject.source,
        status: 'running',
      })
      expect(await subject.hypervisor.locate(NOBODY)).toEqual({ is: 'missing' })
    })

    test('who runs on a node is that node’s own word', async () => {
      expect(await subject.hypervisor.runningOn(subject.source)).toContain(subject.guest)
      expect(await subject.hypervisor.runningOn(subject.target)).not.toContain(subject.guest)
    })

    test('a live move is found while it runs, ends with a measured blackout, and the guest is there', async () => {
      const sinceMs = await subject.nowMs()
      const handle = await subject.hypervisor.migrate(live())
      const query = { guest: subject.guest, from: subject.source, sinceMs }
      expect(await subject.hypervisor.findMigration(query)).toBe(handle)
      expect((await subject.hypervisor.tasksOn(subject.source)).map((task) => task.guest)).toContain(subject.guest)
      const end = await toItsEnd(handle)
      expect(end).toMatchObject({ is: 'ended', outcome: 'ok' })
      if (end.is !== 'ended' || end.outcome !== 'ok' || end.blackout === 'unmeasured') throw new Error('unmeasured')
      expect(end.blackout.blackoutMs).toBeGreaterThan(0)
      await subject.goOn(30)
      expect(await subject.hypervisor.locate(subject.guest)).toMatchObject({ is: 'at', node: subject.target })
      expect(await subject.hypervisor.findMigration(query)).toBe(handle)
    })

    test('a move that is cancelled leaves the guest running at its source', async () => {
      const handle = await subject.hypervisor.migrate(live())
      await subject.hypervisor.cancelMigration(handle)
      expect(await subject.hypervisor.locate(subject.guest)).toMatchObject({
        is: 'at',
        node: subject.source,
        status: 'running',
      })
    })

    test('no migration is found that nobody began', async () => {
      const query = { guest: NOBODY, from: subject.target, sinceMs: await subject.nowMs() }
      expect(await subject.hypervisor.findMigration(query)).toBeUndefined()
    })

    test('a task that is gone ends as unknown, never as ok', async () => {
      const gone = `UPID:${subject.source}:00000001:00000001:6B029A45:qmigrate:100:root@pam:`
      expect(await subject.hypervisor.follow(gone)).toMatchObject({ is: 'ended', outcome: 'unknown' })
    })

    test('a guest that is not there, and a target that does not exist, are refused for good', async () => {
      for (const move of [
        { ...live(), guest: NOBODY },
        { ...live(), to: NOWHERE },
      ]) {
        const error = await subject.hypervisor.migrate(move).catch((caught: unknown) => caught)
        expect(error).toBeInstanceOf(DriverError)
        expect((error as DriverError).retry).toBe('never')
      }
      expect(await subject.hypervisor.locate(subject.guest)).toMatchObject({ is: 'at', node: subject.source })
    })

    test('nodes are online by the cluster’s word; a stranger never is', async () => {
      expect(await subject.hypervisor.nodeOnline(subject.source)).toBe(true)
      const answer = await subject.hypervisor.nodeOnline(NOWHERE).catch((caught: unknown) => caught)
      expect(answer === false || answer instanceof DriverError).toBe(true)
    })

    test('maintenance mode is off, until somebody sets it where it can be set', async () => {
      expect(await subject.hypervisor.maintenanceMode(subject.source)).not.toBe('on')
      if ((await subject.hypervisor.setMaintenanceMode(subject.source, true)) === 'unavailable') return
      await subject.goOn(60)
      expect(await subject.hypervisor.maintenanceMode(subject.source)).toBe('on')
    })

    test('hardware says what is known, and unknown for the rest', async () => {
      const hardware = await subject.hypervisor.hardware(subject.source)
      for (const value of Object.values(hardware)) expect(value).not.toBeUndefined()
      expect(hardware.versions.kernel ?? hardware.versions.pve).toBeDefined()
    })
  })
}
