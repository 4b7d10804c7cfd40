import { describe, expect, test } from 'vitest'
import type { CephObservation, NooutLease, Osd } from '#domain/ceph'
import type { Event, JournalRow } from '#domain/event'
import { maintenanceId, nodeName, workOrderId } from '#domain/ids'
import { DEFAULT_STORY_POLICY } from '#domain/policy'
import { viewOf } from '#domain/view'
import { decide, whyNotReleased } from './decide.ts'
import type { CephLook, WatchdogFacts, WatchedMaintenance } from './observation.ts'
import { releasable } from './release.ts'

const HOUR_MS = 3_600_000
const NOW_MS = 100 * HOUR_MS
const pve3 = nodeName('pve3')
const id = maintenanceId('pve3-1a2b')
const policy = { graceMs: 600_000, mayRelease: true, leaseMs: 4 * HOUR_MS }

const lease = (changes: Partial<NooutLease> = {}): NooutLease => ({
  owner: `coulisse/${id}`,
  host: pve3,
  reason: 'FAN3',
  setAtMs: NOW_MS - 2 * HOUR_MS,
  expiresAtMs: NOW_MS + 2 * HOUR_MS,
  flagsBefore: [],
  ...changes,
})
const expired = lease({ expiresAtMs: NOW_MS - HOUR_MS })

const osd = (one: Partial<Osd> = {}): Osd => ({ id: 4, host: pve3, up: true, in: true, ...one })

function cephLook(leases: readonly NooutLease[], changes: Partial<CephObservation> = {}): CephLook {
  const ceph: CephObservation = {
    observedAtMs: NOW_MS,
    fsid: 'f',
    osds: [osd(), osd({ id: 5 }), osd({ id: 0, host: nodeName('pve1') })],
    pools: [],
    placementGroups: { total: 1, clean: 1, degraded: 0, misplaced: 0, recovering: 0, inconsistent: 0 },
    monitors: [],
    services: [],
    flags: [],
    hostFlags: { pve3: ['noout'] },
    fullness: 'ok',
    slowOpsCount: 0,
    ...changes,
  }
  return { ceph, leases, unreadable: [], nooutScope: 'host' }
}

function maintenance(saga: WatchedMaintenance['saga'], ...events: readonly Event[]): WatchedMaintenance {
  const finding = {
    atMs: 0,
    node: pve3,
    part: 'FAN3',
    level: 'drain-now',
    class: 'hard',
    confidence: 1,
    episodes: 1,
    windowS: 60,
    expectedFalseAlarmsPer100PartYears: 'unknown',
    text: 'FAN3 stands still',
  } as const
  const all: readonly Event[] = [{ kind: 'maintenance-opened', node: pve3, finding, requestedBy: 'eva' }, ...events]
  const rows = all.map((event, index): JournalRow => {
    return { maintenance: id, seq: index + 1, key: `${index}`, atMs: NOW_MS - HOUR_MS, event, prevHash: '', hash: '' }
  })
  return { id, saga, text: 'guest 101 did not come home', policy: DEFAULT_STORY_POLICY, view: viewOf(rows) }
}

const gate = (kind: 'osds-not-up'): Event => ({
  kind: 'gate-closed',
  stage: 'drain',
  blockers: [{ kind, text: 't', lifts: 'l' }],
})

const seen = <T>(value: T) => ({ is: 'seen', value }) as const
const dark = { is: 'unseen', text: 'no answer' } as const

function facts(changes: Partial<WatchdogFacts> = {}): WatchdogFacts {
  return {
    nowMs: NOW_MS,
    controlPlane: seen('answers' as const),
    database: seen({ maintenances: [], workers: 1 }),
    ceph: seen(cephLook([])),
    proxmox: seen([{ node: pve3, mode: 'off' as const }]),
    ...changes,
  }
}

const kindsIn = (one: WatchdogFacts) => decide(one, policy).alerts.map(({ kind }) => kind)
const withStory = (one: WatchedMaintenance, workers = 1) => seen({ maintenances: [one], workers })

test('nothing is said while all is well, with a maintenance under way or without', () => {
  expect(kindsIn(facts())).toEqual([])
  const running = withStory(maintenance('running', gate('osds-not-up')))
  const mode = seen([{ node: pve3, mode: 'on' as const }])
  expect(kindsIn(facts({ database: running, ceph: seen(cephLook([lease()])), proxmox: mode }))).toEqual([])
})

describe('a lease', () => {
  test('that ran out is critical, and says why nothing is cleared', () => {
    const down = cephLook([expired], { osds: [osd({ up: false }), osd({ id: 5 })] })
    const all = decide(
      facts({ ceph: seen(down), database: withStory(maintenance('running', gate('osds-not-up'))) }),
      policy,
    ).alerts
    expect(all.map(({ kind, severity }) => [kind, severity])).toEqual([['lease-expired', 'critical']])
    expect(all[0]?.text).toMatch(/ran out 1 h ago; nothing is cleared: .*looks after it.*osd\.4 not up and in/)
  })

  test('is seen without our database, and then nobody judges whose it is', () => {
    const verdict = decide(facts({ database: dark, ceph: seen(cephLook([expired])) }), policy)
    expect(verdict.alerts.map(({ kind }) => kind)).toEqual(['database-gone', 'lease-expired'])
    expect(verdict.blind).toEqual(expect.arrayContaining(['lease-without-maintenance', 'maintenance-overdue']))
    expect(verdict.blind).not.toContain('lease-expired')
  })

  test('that has less than a quarter of its time left is said before it ends; one that was renewed is not', () => {
    const span = { setAtMs: NOW_MS - 3.1 * HOUR_MS, expiresAtMs: NOW_MS + 0.9 * HOUR_MS }
    const renewed = { setAtMs: NOW_MS - 9 * HOUR_MS, expiresAtMs: NOW_MS + 2 * HOUR_MS }
    const database = withStory(maintenance('running', gate('osds-not-up')))
    expect(kindsIn(facts({ database, ceph: seen(cephLook([lease(span)])) }))).toEqual(['lease-expires-soon'])
    expect(kindsIn(facts({ database, ceph: seen(cephLook([lease(renewed)])) }))).toEqual([])
  })

  test('whose maintenance has ended is said, and so is one that is stuck', () => {
    const ceph = seen(cephLook([lease()]))
    expect(kindsIn(facts({ ceph }))).toEqual(['lease-without-maintenance'])
    expect(kindsIn(facts({ ceph, database: withStory(maintenance('stuck')) }))).toEqual([
      'lease-without-maintenance',
      'maintenance-stuck',
    ])
  })

  test('that cannot be read is said, and hides no other', () => {
    const look = { ...cephLook([expired]), unreadable: [{ host: nodeName('pve1'), text: 'no JSON' }] }
    const database = withStory(maintenance('running', gate('osds-not-up')))
    expect(kindsIn(facts({ database, ceph: seen(look) }))).toEqual(['lease-unreadable', 'lease-expired'])
  })

  test('of somebody else is his', () => {
    const theirs = lease({ owner: 'rook/pve3', expiresAtMs: NOW_MS - HOUR_MS })
    expect(kindsIn(facts({ ceph: seen(cephLook([theirs])) }))).toEqual([])
  })

  test('without its flag is critical while OSDs are down: data is about to move', () => {
    const database = withStory(maintenance('running', gate('osds-not-up')))
    const lost = (up: boolean) => cephLook([lease()], { hostFlags: {}, osds: [osd({ up })] })
    expect(decide(facts({ database, ceph: seen(lost(false)) }), policy).alerts).toMatchObject([
      { kind: 'noout-lost', severity: 'critical' },
    ])
    expect(decide(facts({ database, ceph: seen(lost(true)) }), policy).alerts[0]?.severity).toBe('warning')
  })
})

describe('an expired lease is released', () => {
  const orphan = facts({ ceph: seen(cephLook([expired])) })
  const why = (one: WatchdogFacts, may = policy) => whyNotReleased(one, may, expired)

  test('only where the policy says so, nobody looks after it, and all OSDs of the host are up and in', () => {
    expect(releasable(orphan, policy)).toEqual([expired])
    expect(releasable(orphan, { ...policy, mayRelease: false })).toEqual([])
    for (const away of [osd({ up: false }), osd({ in: false })]) {
      const ceph = seen(cephLook([expired], { osds: [away, osd({ id: 5 })] }))
      expect(why({ ...orphan, ceph })).toEqual(['osd.4 not up and in'])
    }
    expect(why({ ...orphan, ceph: seen(cephLook([expired], { osds: [] })) })).toEqual(['Ceph knows no OSD of pve3'])
    expect(why({ ...orphan, database: dark })).toEqual(['the journal cannot be written'])
    expect(why({ ...orphan, ceph: dark })).toEqual(['Ceph does not answer'])
  })

  test('of a maintenance that runs only when the control plane is gone', () => {
    const database = withStory(maintenance('running'))
    expect(why({ ...orphan, database })).toEqual(['its maintenance runs, and looks after it'])
    expect(why({ ...orphan, database, controlPlane: dark })).toEqual(['its maintenance runs, and looks after it'])
    expect(why({ ...orphan, database: withStory(maintenance('running'), 0), controlPlane: dark })).toEqual([])
    expect(why({ ...orphan, database: withStory(maintenance('stuck')) })).toEqual([])
  })

  test('where noout reaches the whole cluster only when every OSD of the cluster is up and in', () => {
    const look = cephLook([expired], { osds: [osd(), osd({ id: 0, host: nodeName('pve1'), up: false })] })
    expect(why({ ...orphan, ceph: seen(look) })).toEqual([])
    expect(why({ ...orphan, ceph: seen({ ...look, nooutScope: 'cluster' }) })).toEqual(['osd.0 not up and in'])
  })

  test('never before its time, and never one that is not ours', () => {
    expect(whyNotReleased(orphan, policy, lease())).toContain('it has not run out')
    expect(whyNotReleased(orphan, policy, { ...expired, owner: 'rook/x' })).toContain('rook/x is not ours')
  })
})

describe('a maintenance', () => {
  const late = (...events: readonly Event[]) => facts({ database: withStory(maintenance('running', ...events)) })
  const inHours = (hours: number, one: WatchdogFacts): WatchdogFacts => ({ ...one, nowMs: NOW_MS + hours * HOUR_MS })

  test('that waits at a gate for longer than the gate’s patience stands still', () => {
    expect(kindsIn(inHours(3.1, late(gate('osds-not-up'))))).toEqual([])
    const [alert] = decide(inHours(3.2, late(gate('osds-not-up'))), policy).alerts
    expect(alert).toMatchObject({ kind: 'maintenance-overdue', subject: id, severity: 'warning' })
    expect(alert?.text).toMatch(/drain waits at a gate: osds-not-up since .* it was to move on by/)
  })

  test('that nobody and nothing holds up, and that writes nothing, stands still after minutes', () => {
    expect(kindsIn(inHours(-0.6, late({ kind: 'stage-began', stage: 'plan' })))).toEqual([])
    expect(kindsIn(late({ kind: 'stage-began', stage: 'plan' }))).toEqual(['maintenance-overdue'])
  })

  test('whose work order nobody answered in time is said once that time is over', () => {
    const order = {
      id: workOrderId('m1-1'),
      node: pve3,
      place: { site: 's', room: 'r', rack: 'a', unit: '1', serial: 'S' },
      part: 'FAN3',
      why: 'it flaps',
      checklist: [],
      powerNote: '',
      answerBeforeMs: NOW_MS + 7 * HOUR_MS,
      round: 1,
    }
    const one = late({ kind: 'work-order-issued', order })
    expect(kindsIn(inHours(7.1, one))).toEqual([])
    expect(kindsIn(inHours(7.2, one))).toEqual(['maintenance-overdue'])
  })

  test('that is paused is looked at by its pause alone', () => {
    const one = late(gate('osds-not-up'), { kind: 'paused', by: 'eva' })
    expect(decide(inHours(3.2, one), policy).alerts[0]?.text).toMatch(/^eva paused it since/)
  })

  test('that is stuck or broke off is critical, with its reason', () => {
    const one = facts({ database: withStory(maintenance('stuck')) })
    expect(decide(one, policy).alerts).toMatchObject([
      { kind: 'maintenance-stuck', severity: 'critical', text: 'guest 101 did not come home' },
    ])
    const crashed = facts({ database: withStory(maintenance('crashed')) })
    expect(decide(crashed, policy).alerts[0]?.text).toMatch(/broke off by a fault of ours/)
  })
})

test('maintenance mode without a maintenance on that very node is said', () => {
  const proxmox = seen([
    { node: pve3, mode: 'on' as const },
    { node: nodeName('pve1'), mode: 'on' as const },
    { node: nodeName('pve2'), mode: 'unavailable' as const },
  ])
  const { alerts } = decide(
    facts({ proxmox, database: withStory(maintenance('running', gate('osds-not-up'))) }),
    policy,
  )
  expect(alerts.map(({ kind, subject }) => `${kind} ${subject}`)).toEqual(['maintenance-mode-left pve1'])
  expect(kindsIn(facts({ proxmox, database: dark }))).toEqual(['database-gone'])
})

describe('who is gone', () => {
  test('each that does not answer is named, and what it hides is not concluded', () => {
    const all = facts({ controlPlane: dark, database: dark, ceph: dark, proxmox: dark })
    expect(kindsIn(all)).toEqual(['control-plane-gone', 'database-gone', 'ceph-unseen', 'proxmox-unseen'])
  })

  test('a control plane that does not answer while another works is a warning; none at all is critical', () => {
    const severity = (one: WatchdogFacts) => decide(one, policy).alerts.map((alert) => alert.severity)
    const workers = (count: number) => seen({ maintenances: [], workers: count })
    expect(severity(facts({ controlPlane: dark, database: workers(1) }))).toEqual(['warning'])
    expect(severity(facts({ controlPlane: dark, database: workers(0) }))).toEqual(['critical'])
    expect(severity(facts({ database: workers(0) }))).toEqual(['warning'])
    expect(severity(facts({ controlPlane: { is: 'not-asked' }, database: workers(0) }))).toEqual(['critical'])
  })
})
