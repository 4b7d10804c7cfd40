import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { DEFAULT_NODE_LABELS, DEFAULT_PART_LABELS, hostOf, kindOf, nodeIn, type Placing, partIn } from './placing.ts'

const [pve1, pve3] = [nodeName('pve1'), nodeName('pve3')]
const placing: Placing = {
  nodes: [pve1, pve3],
  aliases: { '10.0.0.13': pve3, 'bmc3.mgmt': pve3 },
  nodeLabels: DEFAULT_NODE_LABELS,
  partLabels: DEFAULT_PART_LABELS,
  rules: [{ match: /^ilo-(pve\d+)\..*$/, node: '$1' }],
}

test.each([
  [{ node: 'pve3' }, pve3],
  [{ instance: 'pve3:9100' }, pve3],
  [{ instance: 'pve3.mad1.example:9100' }, pve3],
  [{ instance: '10.0.0.13' }, pve3],
  [{ instance: '10.0.0.13:623' }, pve3],
  [{ instance: 'https://bmc3.mgmt/metrics' }, pve3],
  [{ instance: 'ilo-pve3.mgmt.example' }, pve3],
  [{ node: 'pve1', instance: 'pve3:9100' }, pve1],
  [{ node: 'elsewhere', instance: 'pve3:9100' }, pve3],
  [{ instance: '10.0.0.99:9290' }, undefined],
  [{ instance: '10.0.0.1' }, undefined],
  [{ job: 'pve3' }, undefined],
])('%j is %s', (labels, node) => {
  expect(nodeIn(labels, placing)).toBe(node)
})

test('the host of an address, whatever stands around it', () => {
  expect(['[fd00::13]:9290', 'fd00::13', 'http://pve1:9100/x', 'pve1'].map(hostOf)).toEqual([
    'fd00::13',
    'fd00::13',
    'pve1',
    'pve1',
  ])
})

test('no label whatever makes it fail, or name a node that is not ours', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (labels) => {
      expect([undefined, ...placing.nodes]).toContain(nodeIn(labels, placing))
      partIn(labels, placing)
      kindOf(Object.values(labels))
    }),
  )
  expect(nodeIn({ node: '__proto__' }, placing)).toBeUndefined()
})

test('kinds by what names them', () => {
  const kinds = [['Power Supply'], ['FAN3'], ['Inlet_Temp'], ['PSU1 Status'], ['DIMM A1'], ['osd.3'], ['12V']].map(
    kindOf,
  )
  expect(kinds).toEqual(['psu', 'fan', 'temperature', 'psu', 'memory', 'disk', 'other'])
})
