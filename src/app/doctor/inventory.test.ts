/** The cluster beside what the configuration knows of it. */
import { expect, test } from 'vitest'
import { clusterName, customerId } from '#domain/ids'
import { guest, node, smallSnapshot } from '#lab/testing/small-world'
import { parseConfig } from '../config/read.ts'
import { examineInventory } from './inventory.ts'

const nodeYaml = (name: string, place = 'site: mad1, room: "2", rack: a, unit: "1", ') =>
  `  ${name}: { ${place}serial: S-${name}, systemUuid: u, bmc: { kind: ipmi, host: 192.0.2.2, user: c, password: { env: X } } }`

const config = (...nodes: readonly string[]) =>
  parseConfig(
    [
      'cluster: mad1',
      'stateDir: /var/lib/coulisse',
      'proxmox: { entryPoints: [{ url: "https://192.0.2.1", tokenId: t, tokenSecret: { env: X }, fingerprint256: AA }] }',
      'ceph: none',
      'customers: { acorn: { name: Acorn Ltd } }',
      'nodes:',
      ...nodes,
    ].join('\n'),
    'c.yaml',
  )

const cluster = {
  ...smallSnapshot().cluster,
  name: clusterName('mad1'),
  nodes: [node('pve1'), node('pve2')],
  guests: [guest(101, 'pve1', { customer: customerId('acorn') })],
}
const bad = (...args: Parameters<typeof examineInventory>) =>
  examineInventory(...args).filter(({ outcome }) => outcome !== 'fine')

test('a cluster whose nodes are all known, with their places, is fine', () => {
  expect(bad(config(nodeYaml('pve1'), nodeYaml('pve2')), cluster)).toEqual([])
})

test('a node that nobody wrote down cannot be repaired: it is named, and so is one that is no more', () => {
  const checks = bad(config(nodeYaml('pve1'), nodeYaml('pve9')), cluster)
  expect(checks.map(({ subject, outcome }) => [subject, outcome])).toEqual([
    ['pve2', 'missing'],
    ['pve9', 'missing'],
  ])
  expect(checks[0]?.mend).toContain('dmidecode')
})

test('a node without a place is told with what is lacking', () => {
  const [check] = bad(config(nodeYaml('pve1'), nodeYaml('pve2', 'site: mad1, rack: b, ')), cluster)
  expect(check).toMatchObject({ subject: 'pve2', stages: ['repair'], mend: 'nodes.pve2: { room: …, unit: … }' })
})

test('another cluster than the one that is meant is dangerous', () => {
  const other = { ...cluster, name: clusterName('lab') }
  expect(bad(config(nodeYaml('pve1'), nodeYaml('pve2')), other)).toMatchObject([{ outcome: 'dangerous' }])
})

test('customers whom nobody could write to are named by their pools', () => {
  const guests = [...cluster.guests, guest(102, 'pve2', { customer: customerId('birch') })]
  const [check] = bad(config(nodeYaml('pve1'), nodeYaml('pve2')), { ...cluster, guests })
  expect(check).toMatchObject({ subject: 'customers', stages: ['tell'] })
  expect(check?.text).toContain('birch')
  expect(check?.text).not.toContain('acorn')
})
