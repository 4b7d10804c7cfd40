import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { cephBlockers } from '#story/conditions/storage'
import {
  crushRulesAnswer,
  mgrStatAnswer,
  nodeLsAnswer,
  osdDumpAnswer,
  osdTreeAnswer,
  quorumAnswer,
  statusAnswer,
  toObservation,
} from './answers.ts'

const recording = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../contracts/recordings/ceph/${name}.json`, import.meta.url), 'utf8'))

function observationOf(status: string, osdDump = 'osd_dump.ok') {
  const answers = {
    status: statusAnswer.parse(recording(status)),
    osdDump: osdDumpAnswer.parse(recording(osdDump)),
    osdTree: osdTreeAnswer.parse(recording('osd_tree.ok')),
    crushRules: crushRulesAnswer.parse(recording('crush_rule')),
    quorum: quorumAnswer.parse(recording('quorum_status')),
    mgrStat: mgrStatAnswer.parse(recording('mgr_stat')),
    nodeLs: nodeLsAnswer.parse(recording('node_ls')),
  }
  return { answers, seen: toObservation(answers, 1000) }
}

test('a host whose OSDs are down leaves PGs undersized, and not one of them counts as clean', () => {
  expect(observationOf('status.noout_down').seen.placementGroups).toEqual({
    total: 64,
    clean: 5,
    degraded: 59,
    misplaced: 0,
    recovering: 0,
    inconsistent: 0,
  })
  expect(observationOf('status.rebalancing').seen.placementGroups).toMatchObject({
    clean: 14,
    degraded: 3,
    misplaced: 23,
    recovering: 3,
  })
})

test('noout of a host is found in the OSD map, and the flags that are always set say nothing', () => {
  expect(observationOf('status.ok', 'osd_dump.noout_group').seen).toMatchObject({
    flags: [],
    hostFlags: { node2: ['noout'] },
  })
})

test('flags of the cluster, of a rack and of one OSD are all seen, and pause by its one name', () => {
  const { answers } = observationOf('status.ok')
  const osds = answers.osdDump.osds.map((osd) => (osd.osd === 5 ? { ...osd, state: [...osd.state, 'noout'] } : osd))
  const osdDump = {
    ...answers.osdDump,
    osds,
    flags_set: ['sortbitwise', 'noup', 'pauserd', 'pausewr'],
    crush_node_flags: { 'rack-a': ['noin'] },
  }
  const seen = toObservation({ ...answers, osdDump }, 1000)
  expect(seen.flags).toEqual(['noup', 'pauserd', 'pausewr', 'pause'])
  expect(seen.hostFlags).toEqual({ 'rack-a': ['noin'], 'osd.5': ['noout'] })
})

test('daemons named after a node live there; others where they said', () => {
  const { answers, seen } = observationOf('status.ok')
  expect(seen.monitors.map(({ host }) => host)).toEqual(['vm', 'vm', 'vm'])
  const quorum = {
    quorum_names: ['node1', 'node3'],
    monmap: { mons: [{ name: 'node1' }, { name: 'node2' }, { name: 'node3' }] },
  }
  const told = toObservation(
    { ...answers, quorum, mgrStat: { available: true, active_name: 'node2', num_standby: 1 } },
    1000,
  )
  expect(told.monitors).toEqual([
    { host: 'node1', inQuorum: true },
    { host: 'node2', inQuorum: false },
    { host: 'node3', inQuorum: true },
  ])
  expect(told.activeMgrHost).toBe('node2')
})

test('slow operations, fullness and gateways are read from where Ceph says them', () => {
  const { answers } = observationOf('status.ok')
  const check = (message: string) => ({ summary: { message, count: 1 } })
  const status = {
    ...answers.status,
    health: {
      status: 'HEALTH_WARN',
      checks: {
        SLOW_OPS: check('3 slow ops, oldest one blocked for 35 sec, daemons [osd.1,osd.2] have slow ops.'),
        POOL_NEARFULL: check('1 pool(s) nearfull'),
      },
    },
    servicemap: { services: { rgw: { daemons: { summary: '', '4123': { metadata: { hostname: 'pve2' } } } } } },
  }
  const seen = toObservation({ ...answers, status, nodeLs: { ...answers.nodeLs, mds: { pve1: ['pve1'] } } }, 1000)
  expect(seen).toMatchObject({ slowOpsCount: 3, fullness: 'nearfull' })
  expect(seen.services).toEqual([
    { kind: 'mds', host: 'pve1', role: 'standby' },
    { kind: 'rgw', host: 'pve2' },
  ])
})

test('a metadata server is told from one that stands by, and the blocker says who would take over', () => {
  const { answers } = observationOf('status.ok')
  const by_rank = [
    { name: 'pve1', status: 'up:active' },
    { name: 'pve2', status: 'up:standby-replay' },
  ]
  const said = (mds: Readonly<Record<string, string[]>>) => {
    const status = { ...answers.status, fsmap: { by_rank } }
    const seen = toObservation({ ...answers, status, nodeLs: { ...answers.nodeLs, mds } }, 1000)
    return ['pve1', 'pve2'].map(
      (host) => cephBlockers(seen, nodeName(host), 1).find(({ kind }) => kind === 'services-on-node')?.text,
    )
  }
  expect(said({ pve1: ['pve1'], pve2: ['pve2'] })).toEqual([
    'mds (active; pve2 would take over) on pve1 goes away with it',
    'mds (standby) on pve2 goes away with it',
  ])
  expect(said({ pve1: ['pve1'] })[0]).toContain('none stands by elsewhere')
})

test('whatever words a newer Ceph says of a PG, counts never exceed the PGs that there are', () => {
  const { answers } = observationOf('status.ok')
  const word = fc.constantFrom(
    'active',
    'clean',
    'degraded',
    'undersized',
    'remapped',
    'backfilling',
    'inconsistent',
    'peering',
    'laggy',
    'unknown',
  )
  const states = fc.array(
    fc.record({ state_name: fc.uniqueArray(word, { minLength: 1 }).map((all) => all.join('+')), count: fc.nat(100) }),
  )
  fc.assert(
    fc.property(states, (pgs_by_state) => {
      const num_pgs = pgs_by_state.reduce((sum, { count }) => sum + count, 0)
      const status = { ...answers.status, pgmap: { pgs_by_state, num_pgs } }
      const groups = toObservation({ ...answers, status }, 1000).placementGroups
      for (const count of Object.values(groups)) expect(count).toBeLessThanOrEqual(groups.total)
      expect(groups.clean + groups.inconsistent).toBeLessThanOrEqual(groups.total)
    }),
  )
})
