import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { findDrainFaults, parseSnapshot, snapshotToFile } from './snapshot-file.ts'

const example = readFileSync(new URL('./fixtures/example-snapshot.json', import.meta.url), 'utf8')

type Loose = Record<string, unknown>
const minimal = () => ({
  format: 'coulisse/snapshot@1',
  observedAt: '2026-11-22T08:00:00Z',
  cluster: { name: 'mad1' } as Loose,
  nodes: [{ name: 'pve1', online: true, cpuCores: 8, memoryBytes: 1e9 } as Loose],
  guests: [
    { vmid: 101, name: 'web-101', kind: 'vm', node: 'pve1', status: 'running', cpuCores: 1, memoryBytes: 1e8 } as Loose,
  ],
  rules: [] as Loose[],
})

const faultsOf = (file: unknown, policy?: string): readonly string[] => {
  const parsed = parseSnapshot(typeof file === 'string' ? file : JSON.stringify(file), policy)
  return parsed.ok ? [] : parsed.faults
}

function parsedOf(file: unknown, policy?: string) {
  const parsed = parseSnapshot(JSON.stringify(file), policy)
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
  return parsed
}

describe('a snapshot file', () => {
  test('of 85 guests is read whole', () => {
    const parsed = parsedOf(JSON.parse(example))
    expect(parsed.snapshot.cluster.guests).toHaveLength(85)
    expect(parsed.snapshot.cluster.rules).toHaveLength(3)
    expect(parsed.assumptions).toEqual([])
  })

  test('takes the contract’s defaults where it is silent, and says what was assumed', () => {
    const { snapshot, assumptions } = parsedOf(minimal())
    expect(snapshot.cluster.guests[0]).toMatchObject({
      residentBytes: 1e8,
      movable: true,
      dirtyBytesPerSecond: 'unknown',
    })
    expect(snapshot.cluster.nodes[0]).toMatchObject({ memoryUsedBytes: 0, maintenance: false })
    expect(snapshot.policy).toMatchObject({ cpuOvercommit: 4, memoryHeadroomFraction: 0.05, reserveNodes: 'auto' })
    expect(snapshot.ceph).toBe('none')
    expect(assumptions.join(' ')).toContain('10 Gbit/s is assumed')
  })

  test('ignores fields that nobody knows', () => {
    expect(faultsOf({ ...minimal(), colour: 'blue', nodes: [{ ...minimal().nodes[0], slot: 4 }] })).toEqual([])
  })

  test('read and written back says the same', () => {
    const once = parsedOf(JSON.parse(example)).snapshot
    expect(parsedOf(JSON.parse(snapshotToFile(once))).snapshot).toEqual(once)
  })

  test('lets the policy file win field by field', () => {
    const file = { ...minimal(), policy: { cpuOvercommit: 2, returnHome: false } }
    expect(parsedOf(file, '{"cpuOvercommit":3}').snapshot.policy).toMatchObject({ cpuOvercommit: 3, returnHome: false })
  })
})

describe('a faulty snapshot file names every fault with its path', () => {
  const [node] = minimal().nodes
  const [guest] = minimal().guests
  const cases: readonly [string, unknown, RegExp][] = [
    ['no JSON', '{', /^snapshot \$: not JSON/],
    ['another format', { ...minimal(), format: 'coulisse/snapshot@2' }, /^snapshot \$\.format: /],
    [
      'negative memory',
      { ...minimal(), nodes: [{ ...node, memoryBytes: -1 }] },
      /^snapshot \$\.nodes\[0\]\.memoryBytes: /,
    ],
    ['a missing field', { ...minimal(), guests: [{ ...guest, vmid: undefined }] }, /^snapshot \$\.guests\[0\]\.vmid: /],
    [
      'a guest twice',
      { ...minimal(), guests: [guest, guest] },
      /^snapshot \$\.guests\[1\]\.vmid: guest 101 is listed twice/,
    ],
    [
      'a node twice',
      { ...minimal(), nodes: [node, node] },
      /^snapshot \$\.nodes\[1\]\.name: node pve1 is listed twice/,
    ],
    [
      'a guest on no node',
      { ...minimal(), guests: [{ ...guest, node: 'pve9' }] },
      /\$\.guests\[0\]\.node: guest 101 is on node pve9/,
    ],
    [
      'a rule on nobody',
      { ...minimal(), rules: [{ kind: 'keep-apart', guests: [101, 999] }] },
      /\$\.rules\[0\]\.guests\[1\]: guest 999/,
    ],
    [
      'a pin to no node',
      { ...minimal(), rules: [{ kind: 'pin', guests: [101], nodes: ['pve9'] }] },
      /\$\.rules\[0\]\.nodes\[0\]: node pve9/,
    ],
    [
      'a guest twice in one rule',
      { ...minimal(), rules: [{ kind: 'keep-apart', guests: [101, 101] }] },
      /\$\.rules\[0\]\.guests\[1\]: guest 101 is named twice/,
    ],
    [
      'a node twice in one pin',
      { ...minimal(), rules: [{ kind: 'pin', guests: [101], nodes: ['pve1', 'pve1'] }] },
      /\$\.rules\[0\]\.nodes\[1\]: node pve1 is named twice/,
    ],
    [
      'a pin without nodes',
      { ...minimal(), rules: [{ kind: 'pin', guests: [101], nodes: [] }] },
      /\$\.rules\[0\]\.nodes: /,
    ],
    [
      'memory of a guest below nothing',
      { ...minimal(), guests: [{ ...guest, memoryBytes: -1 }] },
      /\$\.guests\[0\]\.memoryBytes: /,
    ],
    ['half a byte', { ...minimal(), guests: [{ ...guest, residentBytes: 1.5 }] }, /\$\.guests\[0\]\.residentBytes: /],
    ['bytes as words', { ...minimal(), nodes: [{ ...node, memoryBytes: '64G' }] }, /\$\.nodes\[0\]\.memoryBytes: /],
    ['no cores', { ...minimal(), nodes: [{ ...node, cpuCores: 0 }] }, /\$\.nodes\[0\]\.cpuCores: /],
    [
      'a link of nothing',
      { ...minimal(), nodes: [{ ...node, linkBitsPerSecond: 0 }] },
      /\$\.nodes\[0\]\.linkBitsPerSecond: /,
    ],
    ['a guest that floats', { ...minimal(), guests: [{ ...guest, status: 'paused' }] }, /\$\.guests\[0\]\.status: /],
    [
      'a storage twice',
      {
        ...minimal(),
        nodes: [
          {
            ...node,
            storages: [
              { id: 'a', shared: true },
              { id: 'a', shared: true },
            ],
          },
        ],
      },
      /\$\.nodes\[0\]\.storages\[1\]\.id: storage a is listed twice/,
    ],
    [
      'an own storage that does not say what is free',
      { ...minimal(), nodes: [{ ...node, storages: [{ id: 'a', shared: false }] }] },
      /\$\.nodes\[0\]\.storages\[0\]\.freeBytes: /,
    ],
    ['an unknown rule', { ...minimal(), rules: [{ kind: 'near', guests: [] }] }, /\$\.rules\[0\]\.kind: /],
    [
      'one pair apart and together',
      {
        ...minimal(),
        guests: [guest, { ...guest, vmid: 102 }],
        rules: [
          { kind: 'keep-apart', guests: [101, 102] },
          { kind: 'keep-together', guests: [102, 101] },
        ],
      },
      /\$\.rules\[0\]: guests 101 and 102 are to be kept apart here and together/,
    ],
  ]
  test.each(cases)('%s', (_, file, line) => {
    const faults = faultsOf(file)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(line)
    expect(faults[0]).not.toContain('\n')
  })

  test('all at once, the policy’s too', () => {
    const faults = faultsOf({ ...minimal(), format: 1, observedAt: 'today' }, '{"lifted":["sorrow"],"cpuOvercommit":0}')
    expect(faults.map((line) => line.split(':')[0])).toEqual([
      'snapshot $.format',
      'snapshot $.observedAt',
      'policy $.cpuOvercommit',
      'policy $.lifted[0]',
    ])
  })

  test('what no field says and what the file says as a whole in one breath', () => {
    const file = {
      ...minimal(),
      nodes: [{ ...node, memoryBytes: -1 }],
      guests: [guest, { ...guest, vmid: 102, node: 'pve9', cpuCores: 'two' }],
      rules: [
        { kind: 'near', guests: [999] },
        { kind: 'keep-apart', guests: [101, 103] },
        { kind: 'keep-together', guests: [101, 102] },
        { kind: 'keep-apart', guests: [102, 101] },
      ],
    }
    expect(faultsOf(file).map((line) => line.split(': ')[0])).toEqual([
      'snapshot $.nodes[0].memoryBytes',
      'snapshot $.guests[1].cpuCores',
      'snapshot $.rules[0].kind',
      'snapshot $.guests[1].node',
      'snapshot $.rules[1].guests[1]',
      'snapshot $.rules[3]',
    ])
  })

  test('whatever is wrong with it, and never throws', () => {
    for (const rules of [5, [5], [{ kind: 'pin' }], [{ kind: 'keep-apart', guests: 'all' }]])
      expect(faultsOf({ ...minimal(), rules }).length).toBeGreaterThan(0)
    for (const nodes of [undefined, 5, [null], {}]) {
      const faults = faultsOf({ ...minimal(), nodes })
      expect(faults.length).toBeGreaterThan(0)
      expect(faults.filter((line) => line.includes('$.guests'))).toEqual([])
    }
  })

  test('a drain of a node that is not there', () => {
    const { cluster } = parsedOf(minimal()).snapshot
    expect(findDrainFaults(cluster, ['pve9'])).toEqual(['--drain: no node pve9 in $.nodes; there are pve1'])
  })
})
