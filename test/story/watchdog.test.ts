/** The control plane dies for hours after it has switched a node off. Nobody renews the lease; the watchdog, outside, sees it. */

import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { lookAround } from '#app/watchdog/look'
import { type Round, watchOnce } from '#app/watchdog/round'
import { DriverError } from '#domain/driver-error'
import type { JournalRow } from '#domain/event'
import { nodeName } from '#domain/ids'
import { DEFAULT_STORY_POLICY } from '#domain/policy'
import { viewOf } from '#domain/view'
import { takeFault } from '#lab/faults/apply'
import { MemoryJournal } from '#lab/memory-journal'
import { labPorts } from '#lab/ports/lab-ports'
import { powerOn, setFlag } from '#lab/world/commands'
import { noteJournal } from '#lab/world/journal'
import { EMPTY_LEDGER, type Shout } from '#story/watchdog/ledger'
import { releaseLease } from '#story/watchdog/release'
import { leaseOf, playCalm } from './night-kit.ts'

const pve3 = nodeName('pve3')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

type Options = { readonly mayRelease?: boolean; readonly database?: 'seen' | 'away'; readonly alive?: boolean }

/** The night until the node is off; then nothing but the world and the watchdog goes on. */
async function deadControlPlane() {
  const calm = await playCalm()
  const off = calm.rows.findIndex(({ event }) => event.kind === 'node-off') + 1
  const night = await playCalm({ crashAfterRow: off, endsWith: ({ seq }) => seq === off })
  const { lab } = night
  const clock = { nowMs: async () => lab.state.nowMs, sleepUntil: async () => {} }
  const journal = new MemoryJournal(clock)
  for (const { maintenance, key, event } of night.rows) await journal.append({ maintenance, key, event })
  journal.onRow((row) => noteJournal(lab.state, row.event))
  const ports = labPorts(lab)
  const [first] = night.rows
  const id = (first as JournalRow).maintenance
  const said: string[] = []
  const mails: Shout[] = []
  let ledger = EMPTY_LEDGER
  let options: Options = {}

  const maintenance = { id, saga: 'running', policy: DEFAULT_STORY_POLICY, view: viewOf(night.rows) } as const
  const look = () =>
    lookAround({
      ...ports,
      clock,
      nodes: Object.keys(lab.state.nodes).map(nodeName),
      health: async () => {
        if (options.alive === true) return 'answers'
        throw new DriverError('control plane', 'ask whether it is well', { retry: 'later', text: 'refused' })
      },
      database: async () => {
        if (options.database !== 'away') return { maintenances: [maintenance], workers: options.alive === true ? 1 : 0 }
        throw new DriverError('postgres', 'look at the journal', { retry: 'later', text: 'refused' })
      },
    })
  async function round(): Promise<Round> {
    const policy = { graceMs: 10 * MINUTE_MS, mayRelease: options.mayRelease ?? true, leaseMs: 4 * HOUR_MS }
    const made = await watchOnce(
      {
        look,
        policy,
        release: (lease) => releaseLease({ storage: ports.storage, journal }, lease, { look, policy }),
        pace: { patienceMs: 2 * MINUTE_MS, renotifyMs: 4 * HOUR_MS },
        ways: [
          {
            channel: 'mail',
            tell: async (shouts) => {
              mails.push(...shouts)
              said.push(...shouts.map(({ is, key }) => `${is} ${key}`))
              const text = shouts.map(({ alert }) => alert.text).join('\n')
              await ports.notifier.send({
                key: `watchdog/${lab.state.nowMs}`,
                to: 'noc@hoster.example',
                subject: 's',
                text,
              })
            },
          },
        ],
        log: () => {},
      },
      ledger,
    )
    ledger = made.ledger
    return made
  }
  /** A look every minute. */
  async function watchFor(ms: number, changed: Options = {}): Promise<Round> {
    options = changed
    for (const untilMs = lab.state.nowMs + ms; lab.state.nowMs < untilMs; ) {
      lab.advanceTo(lab.state.nowMs + MINUTE_MS)
      await round()
    }
    return round()
  }
  const kindsOf = ({ standing }: Round) => standing.map(({ alert }) => alert.kind)
  return { night, lab, journal, id, said, mails, watchFor, kindsOf, ports }
}

const flagsIn = ({ state }: Awaited<ReturnType<typeof deadControlPlane>>['lab']) =>
  state.ceph === 'none' ? [] : (state.ceph.hostFlags.pve3 ?? [])

test('the lease runs out and is shouted; it is released only once all OSDs are up and in, and the journal shows it', async () => {
  const { night, lab, journal, id, said, watchFor, kindsOf } = await deadControlPlane()
  const early = await watchFor(2 * HOUR_MS)
  expect(kindsOf(early)).toContain('control-plane-gone')
  expect(kindsOf(early)).not.toContain('lease-expired')
  const late = await watchFor(5 * HOUR_MS)
  expect(kindsOf(late)).toEqual(expect.arrayContaining(['control-plane-gone', 'lease-expired', 'maintenance-overdue']))
  expect(said.filter((one) => one === 'new lease-expired/pve3')).toHaveLength(1)
  // The node is off, its OSDs are down: nothing is cleared, whatever the policy allows.
  expect(flagsIn(lab)).toEqual(['noout'])
  expect(leaseOf(night)).toBeDefined()
  const before = (await journal.read(id)).length
  powerOn(lab.state, pve3, 'others')
  await watchFor(30 * MINUTE_MS)
  expect(flagsIn(lab)).toEqual([])
  expect(leaseOf(night)).toBeUndefined()
  const rows = (await journal.read(id)).slice(before).map(({ event }) => event)
  expect(rows.map((event) => ('act' in event ? `${event.kind} ${event.act.kind}` : event.kind))).toEqual([
    'said',
    'intends clear-noout',
    'did clear-noout',
    'intends delete-lease',
    'did delete-lease',
    'lease-released',
  ])
  expect(said).toEqual(expect.arrayContaining(['new lease-released/pve3', 'over lease-expired/pve3']))
  expect(brokenIn(night)).toEqual([])
})

test('by default it only shouts', async () => {
  const { night, lab, mails, watchFor } = await deadControlPlane()
  await watchFor(5 * HOUR_MS, { mayRelease: false })
  powerOn(lab.state, pve3, 'others')
  await watchFor(5 * HOUR_MS, { mayRelease: false })
  expect(flagsIn(lab)).toEqual(['noout'])
  expect(leaseOf(night)).toBeDefined()
  expect(mails.findLast(({ key }) => key === 'lease-expired/pve3')?.alert.text).toMatch(/the policy does not let/)
  expect(brokenIn(night)).toEqual([])
})

test('without the database it sees the lease and shouts, and touches nothing', async () => {
  const { night, lab, said, watchFor } = await deadControlPlane()
  await watchFor(5 * HOUR_MS, { database: 'away' })
  powerOn(lab.state, pve3, 'others')
  await watchFor(30 * MINUTE_MS, { database: 'away' })
  expect(said).toEqual(expect.arrayContaining(['new database-gone/database', 'new lease-expired/pve3']))
  expect(flagsIn(lab)).toEqual(['noout'])
  // The database is back: the journal can be written, and so it may.
  await watchFor(MINUTE_MS)
  expect(flagsIn(lab)).toEqual([])
  expect(brokenIn(night)).toEqual([])
})

test('a maintenance whose control plane lives looks after its lease itself', async () => {
  const { lab, watchFor, kindsOf } = await deadControlPlane()
  await watchFor(5 * HOUR_MS, { alive: true })
  powerOn(lab.state, pve3, 'others')
  const last = await watchFor(30 * MINUTE_MS, { alive: true })
  expect(kindsOf(last)).toContain('lease-expired')
  expect(flagsIn(lab)).toEqual(['noout'])
})

test('a noout that stood before us stays when the lease goes', async () => {
  const { night, lab, watchFor, ports } = await deadControlPlane()
  const lease = await ports.storage.readLease(pve3)
  if (lease === undefined) throw new Error('no lease')
  await ports.storage.writeLease({ ...lease, flagsBefore: ['noout'] })
  setFlag(lab.state, { name: 'noout', host: pve3 }, 'others')
  await watchFor(5 * HOUR_MS)
  powerOn(lab.state, pve3, 'others')
  await watchFor(30 * MINUTE_MS)
  expect(leaseOf(night)).toBeUndefined()
  expect(flagsIn(lab)).toEqual(['noout'])
  expect(brokenIn(night)).toEqual([])
})

test('a Ceph that does not answer is said, and what stood before is not called over', async () => {
  const { lab, said, watchFor, kindsOf } = await deadControlPlane()
  await watchFor(5 * HOUR_MS)
  takeFault(lab.state, { kind: 'api-error', api: 'ceph', rate: 1, status: 504, text: 'hunting' })
  const dark = await watchFor(30 * MINUTE_MS)
  expect(kindsOf(dark)).toEqual(expect.arrayContaining(['ceph-unseen', 'lease-expired']))
  expect(said).not.toContain('over lease-expired/pve3')
})
