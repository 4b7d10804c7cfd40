/** Real QEMU guests on a real RBD: moved by immediate post-copy, probed from outside; and the Hypervisor contract with one beneath the lab's wire. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cacheDir } from '#app/lab-real'
import type { NodeName } from '#domain/ids'
import { vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { CEPHX_USER, cephxCaps } from '#drivers/ceph/cephx-caps'
import { proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { withoutCeph } from '#lab/real/attach'
import { type RealCeph, startRealCeph } from '#lab/real/ceph-cluster'
import { withRealGuests } from '#lab/real/guests/as-real'
import { followWorld } from '#lab/real/guests/follow-world'
import { joinGuests } from '#lab/real/guests/join-guests'
import { namespacesOf } from '#lab/real/guests/net'
import { type RealGuests, type RealMove, startRealGuests } from '#lab/real/guests/real-guests'
import { pve1, pve2, pve3, pve4, smallLab, smallSnapshot } from '#lab/testing/small-world'
import { serveProxmox } from '#lab/wire/proxmox/serve'
import * as commands from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import { type HypervisorSubject, hypervisorContract } from './hypervisor-contract.ts'
import { leftOut, whyNotReal } from './real.ts'

const why = await whyNotReal({ withGuests: true })
const G101 = vmid(101)
const G102 = vmid(102)
const nodes = [pve1, pve2, pve3, pve4]
const START_LIMIT_MS = 300_000
const MOVE_LIMIT_MS = 180_000
const LOOKS_LIMIT = 600
const LOOKS_APART_MS = 100

let dir: string
let ceph: RealCeph
let guests: RealGuests
/** Where guest 101 is when a test begins. */
let at: NodeName = pve3

async function until(what: string, holds: () => boolean | Promise<boolean>) {
  for (let look = 1; look <= LOOKS_LIMIT; look++) {
    if (await holds()) return
    await sleep(LOOKS_APART_MS)
  }
  throw new Error(`waited in vain: ${what}`)
}

async function moved(from: NodeName, to: NodeName): Promise<RealMove> {
  const { outcome, told } = await guests.move({ guest: G101, from, to })
  expect(outcome).toMatchObject({ is: 'moved' })
  at = to
  return told
}

/** A fresh world in which guest 101 runs on pve3 and is real. */
async function realWorld(): Promise<LabWorld> {
  if (at !== pve3) await moved(at, pve3)
  const lab = smallLab({ snapshot: withRealGuests(withoutCeph(smallSnapshot()), [G101]) })
  const guest = lab.state.guests['101']
  if (guest === undefined) throw new Error('guest 101 is gone')
  guest.real = true
  return lab
}

const follow = (lab: LabWorld) =>
  followWorld({
    lab,
    guests: { ...guests, guests: [G101] },
    at: new Map([[G101, pve3]]),
    onChange: () => undefined,
    log: (line) => console.log(line),
  })

async function overTheWire(): Promise<HypervisorSubject> {
  const lab = await realWorld()
  const served = await serveProxmox({ lab, onChange: () => undefined })
  const followed = follow(lab)
  const hypervisor = proxmoxHypervisor({
    entryPoints: served.endpoints.map((endpoint) => ({ ...endpoint, tokenSecret: secret(endpoint.tokenSecret) })),
    clock: { nowMs: async () => lab.state.nowMs, sleepUntil: async () => undefined },
    linkBitsPerSecond: 10e9,
  })
  return {
    hypervisor,
    guest: G101,
    source: pve3,
    target: pve1,
    nowMs: async () => lab.state.nowMs,
    goOn: async (seconds) => {
      lab.advanceTo(lab.state.nowMs + seconds * 1000)
      await until('the real move to end', () => !lab.inRealTime)
    },
    close: async () => {
      followed.halt()
      await followed.settled()
      at = (await guests.processesOn(pve1)).includes(G101) ? pve1 : pve3
      await hypervisor.close()
      await served.close()
    },
  }
}

if (why === undefined) {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'coulisse-guests-'))
    const client = { name: CEPHX_USER, caps: cephxCaps }
    ceph = await startRealCeph({ dir: join(dir, 'ceph'), hosts: nodes, client })
    const started = [G101, G102].map((guest) => ({ vmid: guest, node: pve3 }))
    const log = (line: string) => console.log(line)
    guests = await startRealGuests({
      dir: join(dir, 'guests'),
      cacheDir: cacheDir(),
      ceph,
      nodes,
      guests: started,
      log,
    })
  }, START_LIMIT_MS)

  afterAll(async () => {
    await guests?.stop()
    await ceph?.stop()
    await rm(dir, { recursive: true, force: true })
  }, MOVE_LIMIT_MS)

  test(
    'two guests go there and back at once: same boot, no write lost, both pauses told with their resolution',
    async () => {
      const before = await guests.ask(G101)
      const moves: RealMove[] = []
      for (const [from, to] of [
        [pve3, pve1],
        [pve1, pve3],
      ] as const) {
        const both = await Promise.all([G101, G102].map((guest) => guests.move({ guest, from, to })))
        expect(both.map(({ outcome }) => outcome.is)).toEqual(['moved', 'moved'])
        moves.push(...(await Promise.all(both.map(({ told }) => told))))
      }
      for (const move of moves) {
        console.log(JSON.stringify(move))
        expect(move.bootIdBefore).toMatch(/^[0-9a-f-]{36}$/)
        expect(move.bootIdAfter).toBe(move.bootIdBefore)
        expect(move.hypervisorPauseMs).toBeGreaterThan(0)
        expect(move.probeGapMs).toBeGreaterThan(0)
        expect(move).toMatchObject({ hypervisorResolutionMs: 1, probeIntervalMs: 10 })
        expect(move.probeResolutionMs).toBeGreaterThanOrEqual(10)
      }
      await until('more is written after the moves', async () => (await guests.ask(G101)).written > before.written + 2)
      const after = await guests.ask(G101)
      expect(after).toMatchObject({ bootId: before.bootId, failed: 0 })
      const disk = await guests.readDisk(G101)
      console.log(`on the disk: ${JSON.stringify(disk)}`)
      expect(disk.unbrokenCount).toBeGreaterThanOrEqual(after.written)
      expect(disk.behindAHoleCount).toBe(0)
    },
    MOVE_LIMIT_MS,
  )

  test(
    'a target that dies before the switch leaves the guest at its source, and the next move succeeds',
    async () => {
      const before = await guests.ask(G101)
      const mayCommit = async () => {
        await guests.cut(G101, pve2)
        return true
      }
      const { outcome, told } = await guests.move({ guest: G101, from: pve3, to: pve2, mayCommit })
      expect(outcome.is).toBe('stayed')
      expect(await told).toMatchObject({ hypervisorPauseMs: 'unknown', bootIdAfter: before.bootId })
      expect(await guests.processesOn(pve2)).toEqual([])
      expect(await guests.processesOn(pve3)).toContain(G101)
      const again = await moved(pve3, pve2)
      expect(again.bootIdAfter).toBe(before.bootId)
    },
    MOVE_LIMIT_MS,
  )

  test(
    'a move of the world is a real move; one whose target dies fails there too, and its task says why',
    async () => {
      const lab = await realWorld()
      const cutsTarget: RealGuests = {
        ...guests,
        guests: [G101],
        move: (move) =>
          guests.move({
            ...move,
            mayCommit: async () => {
              await guests.cut(G101, move.to)
              return (await move.mayCommit?.()) ?? true
            },
          }),
      }
      const told: string[] = []
      const options = {
        lab,
        at: new Map([[G101, pve3]]),
        onChange: () => undefined,
        log: (line: string) => told.push(line),
      }
      const followed = followWorld({ ...options, guests: cutsTarget })
      const request = { guest: G101, from: pve3, to: pve1, mode: 'live', withLocalDisks: false, by: 'us' } as const
      const started = commands.startMigration(lab.state, request)
      if (started.is === 'refused') throw new Error(started.text)
      lab.advanceTo(lab.state.nowMs + 2_000)
      await until('the task to end', () => lab.state.tasks[started.value]?.status === 'stopped')
      followed.halt()
      await followed.settled()
      const task = lab.state.tasks[started.value]
      expect(task?.exitStatus).toBe('migration problems')
      expect(task?.log.join('\n')).toMatch(/the target is not there any more/)
      expect(lab.state.guests['101']).toMatchObject({ node: pve3, runsOn: [pve3] })
      expect((await guests.ask(G101)).uptimeS).toBeGreaterThan(0)
      expect(lab.state.brokenPromises).toEqual([])
    },
    MOVE_LIMIT_MS,
  )

  test(
    'a guest that joins a world is moved by it and probed in its time, and leaves nothing behind',
    async () => {
      const g103 = vmid(103)
      const lab = smallLab({ snapshot: withRealGuests(withoutCeph(smallSnapshot()), [g103]) })
      const log = (line: string) => console.log(line)
      const own = join(dir, 'joined')
      const options = { lab, ceph, dir: own, cacheDir: cacheDir(), onChange: () => undefined, log }
      const joined = await joinGuests({ ...options, vmids: [g103] })
      const beganMs = lab.state.nowMs
      const passes = setInterval(() => lab.advanceTo(lab.state.nowMs + LOOKS_APART_MS), LOOKS_APART_MS)
      const request = { guest: g103, from: pve1, to: pve2, mode: 'live', withLocalDisks: false, by: 'us' } as const
      try {
        const started = commands.startMigration(lab.state, request)
        if (started.is === 'refused') throw new Error(started.text)
        await until('the task to end', () => lab.state.tasks[started.value]?.status === 'stopped')
        const { moves, troubles } = await joined.story()
        const reading = await joined.probe({ guest: g103, fromMs: beganMs, toMs: lab.state.nowMs })
        console.log(JSON.stringify(reading))
        expect(lab.state.tasks[started.value]?.exitStatus).toBe('OK')
        expect(troubles).toEqual([])
        expect(moves).toMatchObject([{ guest: g103, from: pve1, to: pve2 }])
        expect(moves[0]?.bootIdAfter).toBe(moves[0]?.bootIdBefore)
        expect(reading).toMatchObject({ is: 'measured', guest: g103, fromMs: beganMs, intervalMs: 10 })
        expect(reading.is === 'measured' && reading.longestGapMs).toBeGreaterThan(0)
      } finally {
        clearInterval(passes)
        await joined.stop()
      }
      expect(await namespacesOf(own)).toEqual([])
      expect(await joined.guests.processesOn(pve2)).toEqual([])
    },
    MOVE_LIMIT_MS,
  )

  hypervisorContract('the driver against the lab’s wire, with a real guest beneath', overTheWire)

  test(
    'a node that loses its power has no process left, and a guest that starts again says that it did',
    async () => {
      const lab = await realWorld()
      const before = await guests.ask(G101)
      const followed = follow(lab)
      commands.powerOffHard(lab.state, pve3, 'others')
      await until('its process is gone', async () => !(await guests.processesOn(pve3)).includes(G101))
      commands.powerOn(lab.state, pve3, 'others')
      lab.advanceTo(lab.state.nowMs + 300_000)
      expect(commands.startGuest(lab.state, G101, pve3, 'others').is).toBe('done')
      await until('it has booted', async () => (await guests.processesOn(pve3)).includes(G101))
      followed.halt()
      await followed.settled()
      const after = await guests.ask(G101)
      expect(after.bootId).not.toBe(before.bootId)
      expect(after.uptimeS).toBeLessThan(before.uptimeS + MOVE_LIMIT_MS / 1000)
    },
    MOVE_LIMIT_MS,
  )
} else {
  leftOut('real guests, moved and probed', why)
}
