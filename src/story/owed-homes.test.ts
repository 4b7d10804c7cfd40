import { expect, test } from 'vitest'
import type { Event, JournalRow, Origin } from '#domain/event'
import { maintenanceId, type NodeName, nodeName, vmid } from '#domain/ids'
import { owedTogether } from './owed-homes.ts'

const [pve1, pve2, pve3] = ['pve1', 'pve2', 'pve3'].map(nodeName) as [NodeName, NodeName, NodeName]

const rowsOf = (id: string, ...events: readonly Event[]): readonly JournalRow[] =>
  events.map((event, index) => ({
    maintenance: maintenanceId(id),
    seq: index + 1,
    key: `${index}`,
    atMs: index * 1000,
    event,
    prevHash: '',
    hash: '',
  }))

const origin = (id: number, node: NodeName, home?: NodeName): Origin => ({
  vmid: vmid(id),
  name: `web-${id}`,
  kind: 'vm',
  node,
  status: 'running',
  ...(home === undefined ? {} : { home }),
})

const recorded = (...origins: readonly Origin[]): Event => ({ kind: 'origins-recorded', origins })

const moved = (id: number, from: NodeName, to: NodeName, outcome: 'done' | 'failed' = 'done'): Event => ({
  kind: 'did',
  act: { kind: 'migrate', guest: vmid(id), from, to, mode: 'live', purpose: 'drain' },
  outcome: outcome === 'done' ? { is: 'done' } : { is: 'failed', text: 'migration problems' },
})

test('who came home is owed nothing, who was left away is owed his home', () => {
  const rows = rowsOf(
    'pve3-night',
    recorded(origin(101, pve3), origin(102, pve3), origin(103, pve3)),
    moved(101, pve3, pve1),
    moved(102, pve3, pve1),
    moved(103, pve3, pve2),
    moved(101, pve1, pve3),
    moved(102, pve1, pve3, 'failed'),
    { kind: 'guest-moved-by-others', guest: vmid(103), from: pve2, to: pve3 },
  )
  expect(owedTogether([rows])).toEqual([{ guest: 102, home: pve3 }])
})

test('a home that was owed stays owed through the next maintenance, until somebody is there', () => {
  const first = rowsOf('pve3-night', recorded(origin(104, pve3)), moved(104, pve3, pve1))
  const second = rowsOf('pve1-night', recorded(origin(104, pve1, pve3)), moved(104, pve1, pve2))
  expect(owedTogether([first, second])).toEqual([{ guest: 104, home: pve3 }])
  const third = rowsOf('pve2-night', recorded(origin(104, pve2, pve3)), moved(104, pve2, pve3))
  expect(owedTogether([first, second, third])).toEqual([])
})

test('a guest that a later maintenance does not know is still owed', () => {
  const first = rowsOf('pve3-night', recorded(origin(104, pve3)), moved(104, pve3, pve1))
  expect(owedTogether([first, rowsOf('pve2-night', recorded(origin(121, pve2)))])).toEqual([{ guest: 104, home: pve3 }])
})
