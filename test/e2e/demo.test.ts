/** The whole story as a user starts it: real processes, a real PostgreSQL, the lab behind real protocols; and what a kill may not break. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { coulisse, freshFolder, isAlive, processesOf, until } from './coulisse.ts'
import { DemoRun, gone, killHard, type Summary, type Truth } from './demo-run.ts'
import { killCount, killMoments } from './kill-moments.ts'

const ONE_DEMO_LIMIT_MS = 180_000
const TWO_DEMOS_LIMIT_MS = 2 * ONE_DEMO_LIMIT_MS

const folders: string[] = []
const stateFolder = () => {
  const folder = freshFolder('demo')
  folders.push(folder)
  return folder
}
afterEach(async () => {
  for (const folder of folders.splice(0)) {
    await coulisse(['demo', '--clean', '--state', folder])
    rmSync(folder, { recursive: true, force: true })
  }
})

const ended = { code: 0, signal: null }

/** Held at the very end of a story: everybody home, nothing of ours left in the cluster. */
function expectWhole(summary: Summary): void {
  expect(summary.guestsHome).toBe(summary.guestsMoved)
  expect(Date.parse(summary.noout.clearedAt)).toBeGreaterThan(Date.parse(summary.noout.setAt))
}

/** What the lab wrote last: its processes are gone by then. */
const savedWorld = (stateDir: string) =>
  JSON.parse(readFileSync(join(stateDir, 'lab', 'world.json'), 'utf8')) as {
    brokenPromises: readonly unknown[]
    startedTwice: readonly unknown[]
    guests: Record<string, { node: string; spec: { node: string } }>
    ceph: { flags: readonly string[]; hostFlags: Record<string, readonly string[]> }
  }

function expectWorldInOrder(stateDir: string): void {
  const world = savedWorld(stateDir)
  expect(world.brokenPromises).toEqual([])
  expect(world.startedTwice).toEqual([])
  expect(Object.values(world.guests).filter(({ node, spec }) => node !== spec.node)).toEqual([])
  expect([...world.ceph.flags, ...Object.values(world.ceph.hostFlags).flat()]).toEqual([])
}

describe('an undisturbed demo', () => {
  test(
    'ends done with everybody home, and its summary, pages and journal hold; the next start begins a new story',
    async () => {
      const stateDir = stateFolder()
      const demo = new DemoRun(stateDir)
      const first = await demo.first()
      const pids = demo.pids()
      expect(first.state).toBe(stateDir)
      expect(pids).toMatchObject({ lab: first.pids.lab, postgres: first.pids.postgres })
      expect(pids['control-plane']).toBe(first.pids.controlPlane)
      expect(pids.launcher).toBe(demo.pid)
      for (const pid of Object.values(pids)) expect(isAlive(pid ?? 0)).toBe(true)
      await demo.reachesEvent('node-off')
      const truth = await demo.truth()
      expect(truth.nodes.filter(({ power }) => power === 'off').map(({ name }) => name)).toEqual(['pve3'])
      expect(await demo.ended).toEqual(ended)
      expect(demo.err.trimEnd().split('\n')).toHaveLength(1)
      const summary = demo.summary()
      expectWhole(summary)
      expectWorldInOrder(stateDir)
      expectPages(stateDir, summary)
      await expectJournal(stateDir, summary)
      await expectEvidence(summary)
      await gone(...Object.values(pids).map((pid) => pid ?? 0))
      expect(processesOf(stateDir)).toEqual([])

      const second = new DemoRun(stateDir, '--seed', '2')
      await second.first()
      expect(await second.rows()).toEqual([])
      second.kill('SIGINT')
      expect(await second.ended).toEqual({ code: 130, signal: null })
      expect(second.out).toBe('')
      expect(second.err).toMatch(/goes on from here/)
      expect(processesOf(stateDir)).toEqual([])
    },
    TWO_DEMOS_LIMIT_MS,
  )
})

/** Each customer reads of his own guests, and of nobody else's. */
function expectPages(stateDir: string, summary: Summary): void {
  const guests = Object.values(
    (JSON.parse(readFileSync(join(stateDir, 'lab', 'world.json'), 'utf8')) as { guests: Record<string, LabGuest> })
      .guests,
  )
  const moved = guests.filter(({ spec }) => spec.node === 'pve3')
  const pages = summary.reports.map((path) => ({ path, html: readFileSync(path, 'utf8') }))
  expect(new Set(pages.map(({ html }) => html)).size).toBe(pages.length)
  const customers = [...new Set(moved.flatMap(({ customer }) => customer ?? []))]
  expect(pages).toHaveLength(customers.length)
  for (const customer of customers) {
    const page = pages.find(({ path }) => path.includes(customer))
    expect(page?.html).toContain('<!doctype html>')
    for (const guest of guests) {
      const isOwn = guest.customer === customer
      if (!isOwn) expect(page?.html).not.toContain(guest.spec.name)
      if (isOwn && guest.spec.node === 'pve3') expect(page?.html).toContain(guest.spec.name)
    }
  }
}

type LabGuest = { readonly customer?: string; readonly spec: { readonly name: string; readonly node: string } }

async function expectJournal(stateDir: string, summary: Summary): Promise<void> {
  const path = join(stateDir, 'journal.json')
  const good = await coulisse(['verify', path, '--json'])
  expect(JSON.parse(good.out)).toEqual({ ok: true, entries: summary.journalEntries, problems: [] })
  expect(good.code).toBe(0)
  const bundle = JSON.parse(readFileSync(path, 'utf8')) as { rows: { event: Record<string, unknown> }[] }
  const changed = bundle.rows.at(20)
  if (changed !== undefined) changed.event = { ...changed.event, by: 'nobody' }
  const forged = join(stateDir, 'forged.json')
  writeFileSync(forged, JSON.stringify(bundle))
  const bad = await coulisse(['verify', forged, '--json'])
  rmSync(forged)
  expect(bad.code).toBe(1)
  expect(JSON.parse(bad.out)).toMatchObject({ ok: false })
}

/** Each customer's bundle is ok beside the published roots, names nobody else, and is not ok after one byte is changed. */
async function expectEvidence({ reports, evidence, roots }: Summary): Promise<void> {
  expect(evidence.map((path) => path.replace('.evidence.json', '.html'))).toEqual(reports)
  for (const path of evidence) {
    const good = await coulisse(['verify', path, '--root', roots, '--json'])
    expect(JSON.parse(good.out)).toMatchObject({ ok: true, problems: [], simulated: true })
    expect(good.code).toBe(0)
    const text = readFileSync(path, 'utf8')
    for (const other of ['acorn', 'birch', 'cedar'].filter((name) => !path.includes(name)))
      expect(text).not.toContain(other)
    const at = Math.floor(text.length / 2)
    writeFileSync(`${path}.changed`, `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`)
    const bad = await coulisse(['verify', `${path}.changed`])
    rmSync(`${path}.changed`)
    expect(bad.code).not.toBe(0)
  }
}

describe('a demo whose control plane is killed by SIGKILL', () => {
  const moments = killMoments(killCount)
  process.stdout.write(`killing the control plane at ${moments.length} moments: rows ${moments.join(', ')}\n`)
  test.each(moments)(
    'at row %i and is started again ends done, no promise broken, everybody home',
    async (row) => {
      const stateDir = stateFolder()
      const killed = new DemoRun(stateDir)
      const { pids } = await killed.first()
      await killed.reaches(row)
      killHard(pids.controlPlane)
      // Started again at once, while the first launcher may still be ending what is left.
      const again = new DemoRun(stateDir)
      expect(await killed.ended).toEqual({ code: 1, signal: null })
      expect(killed.out).toBe('')
      expect(await again.ended).toEqual(ended)
      const summary = again.summary()
      expect(summary.resumed).toBe(1)
      expectWhole(summary)
      expectWorldInOrder(stateDir)
      expect(processesOf(stateDir)).toEqual([])
    },
    TWO_DEMOS_LIMIT_MS,
  )
})

describe('a demo that loses another of its processes', () => {
  test(
    'goes on where it was after its launcher, its lab and its PostgreSQL were killed, one after the other',
    async () => {
      const stateDir = stateFolder()
      const first = new DemoRun(stateDir)
      await first.reaches(20)
      first.kill('SIGKILL')
      await first.ended

      const second = new DemoRun(stateDir)
      const { pids } = await second.first()
      await second.reachesEvent('node-empty')
      expectOrderWhileAway(await second.truth())
      killHard(pids.lab)
      expect((await second.ended).code).toBe(1)
      expect(second.err).toMatch(/the lab is gone/)
      expect(processesOf(stateDir)).toEqual([])

      const third = new DemoRun(stateDir)
      await third.reachesEvent('node-off')
      killHard((await third.first()).pids.postgres)
      expect((await third.ended).code).toBe(1)
      expect(third.err).toMatch(/PostgreSQL is gone/)
      expect(processesOf(stateDir)).toEqual([])

      const last = new DemoRun(stateDir)
      await last.reachesEvent('verified')
      last.kill('SIGTERM')
      expect(await last.ended).toEqual({ code: 130, signal: null })
      const finish = new DemoRun(stateDir)
      expect(await finish.ended).toEqual(ended)
      const summary = finish.summary()
      expect(summary.resumed).toBe(4)
      expectWhole(summary)
      expectWorldInOrder(stateDir)
    },
    TWO_DEMOS_LIMIT_MS,
  )

  test(
    'goes on where it was when all four are killed at once',
    async () => {
      const stateDir = stateFolder()
      const killed = new DemoRun(stateDir)
      await killed.reachesEvent('node-off')
      const pids = Object.values(killed.pids()).map((pid) => pid ?? 0)
      for (const pid of pids) killHard(pid)
      await gone(...pids)
      const again = new DemoRun(stateDir)
      expect(await again.ended).toEqual(ended)
      expect(again.summary().resumed).toBe(1)
      expectWhole(again.summary())
      expectWorldInOrder(stateDir)
    },
    ONE_DEMO_LIMIT_MS,
  )

  test(
    'leaves nothing running when only the launcher is killed, and --clean forgets the story',
    async () => {
      const stateDir = stateFolder()
      const demo = new DemoRun(stateDir)
      const { pids } = await demo.first()
      demo.kill('SIGKILL')
      await demo.ended
      await gone(pids.lab, pids.controlPlane, pids.postgres)
      await until('nothing left', () => (processesOf(stateDir).length === 0 ? true : undefined))
      const cleaned = await coulisse(['demo', '--clean', '--state', stateDir])
      expect(cleaned).toMatchObject({ code: 0, out: '' })
      expect(existsSync(join(stateDir, 'lab'))).toBe(false)
      expect(existsSync(join(stateDir, 'config.yaml'))).toBe(false)
    },
    ONE_DEMO_LIMIT_MS,
  )

  test(
    'refuses a second demo on its folder, which goes on untouched, and --clean ends it',
    async () => {
      const stateDir = stateFolder()
      const demo = new DemoRun(stateDir, '--speed', '1')
      await demo.first()
      const other = await coulisse(['demo', '--headless', '--json', '--state', stateDir])
      expect(other).toMatchObject({ code: 1, out: '' })
      expect(other.err).toMatch(/another demo runs on/)
      expect((await demo.truth()).brokenPromises).toEqual([])
      await coulisse(['demo', '--clean', '--state', stateDir])
      expect((await demo.ended).code).not.toBe(0)
      expect(processesOf(stateDir)).toEqual([])
    },
    ONE_DEMO_LIMIT_MS,
  )
})

/** In the middle nothing is in order but the promises. */
function expectOrderWhileAway(truth: Truth): void {
  expect(truth.brokenPromises).toEqual([])
  expect(truth.startedTwice).toEqual([])
  expect(truth.guests.filter(({ status }) => status !== 'running' && status !== 'stopped')).toEqual([])
}
