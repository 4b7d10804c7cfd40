/** A fault of the configuration is said with the place where a person will mend it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { BadInput } from '../bad-input.ts'
import { cephConfigOf, haManagerOf, sshNodesOf, sshRightsOf } from '../nodes-by-ssh.ts'
import { parseConfig, readConfig } from './read.ts'

const GOOD = `cluster: mad1
stateDir: /var/lib/coulisse
proxmox:
  entryPoints:
    - url: https://192.0.2.11:8006
      tokenId: coulisse@pve!observe
      tokenSecret: { env: COULISSE_TEST_TOKEN }
      fingerprint256: AA:BB
ceph: none
nodes:
  pve1:
    serial: S1
    systemUuid: 11111111-2222-3333-4444-555555555555
    bmc: { kind: ipmi, host: 192.0.2.21, user: coulisse, password: { file: bmc-pve1 } }
`

const folder = mkdtempSync(join(tmpdir(), 'coulisse-config-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function faultsOf(work: () => unknown): readonly string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof BadInput) return error.faults
    throw error
  }
  return []
}

const parseFaults = (text: string) => faultsOf(() => parseConfig(text, 'c.yaml'))

test('a good one has no faults, and its policy is whole', () => {
  const config = parseConfig(GOOD, 'c.yaml')
  expect(config.nodes.pve1?.bmc).toMatchObject({ kind: 'ipmi', port: 623 })
  expect(config.policy.plan.returnHome).toBeTypeOf('boolean')
})

test('every fault is shown, each with its line and column', () => {
  const text = GOOD.replace('mad1', '5').replace('ceph: none', 'surprise: 1').replace('192.0.2.21', '[]')
  expect(parseFaults(text)).toEqual([
    'c.yaml:1:1: $.ceph: is missing',
    'c.yaml:1:10: $.cluster: expected string, received number',
    'c.yaml:9:1: $.surprise: no such key',
    'c.yaml:14:30: $.nodes.pve1.bmc.host: expected string, received array',
  ])
})

test('a missing key is shown at the key of what should hold it', () => {
  expect(parseFaults(GOOD.replace(/ {4}systemUuid: .*\n/, ''))).toEqual([
    'c.yaml:11:3: $.nodes.pve1.systemUuid: is missing',
  ])
  expect(parseFaults(GOOD.replace('      fingerprint256: AA:BB\n', ''))).toEqual([
    'c.yaml:5:7: $.proxmox.entryPoints.0: either fingerprint256 or ca: whom to trust',
  ])
})

test('a secret that stands in the configuration itself is refused without being repeated', () => {
  const [fault, ...more] = parseFaults(GOOD.replace('{ file: bmc-pve1 }', 'hunter2'))
  expect(more).toEqual([])
  expect(fault).toMatch(/^c\.yaml:14:68: \$\.nodes\.pve1\.bmc\.password: a secret is \{ file: PATH \}/)
  expect(fault).not.toContain('hunter2')
})

test('a choice that is none says what can be chosen', () => {
  expect(parseFaults(GOOD.replace('ceph: none', 'ceph: 5'))).toEqual([
    'c.yaml:9:7: $.ceph: expected "none", or expected "proxmox", or expected object, received number',
  ])
  expect(parseFaults(GOOD.replace('ceph: none', 'ceph: { command: ceph }'))).toEqual([
    'c.yaml:9:18: $.ceph.command: expected array, received string, or expected "ssh"',
  ])
  expect(parseFaults(GOOD.replace('kind: ipmi', 'kind: wmi'))).toEqual([
    `c.yaml:14:18: $.nodes.pve1.bmc.kind: Invalid discriminator value. Expected 'redfish' | 'ipmi'`,
  ])
})

test('what is no YAML, or holds a key twice, is refused with its place', () => {
  expect(parseFaults(': [')[0]).toMatch(/^c\.yaml:1:\d+: /)
  expect(parseFaults(`${GOOD}cluster: twice\n`)).toEqual(['c.yaml:15:1: Map keys must be unique'])
  expect(parseFaults('')).toEqual(['c.yaml:1:1: $: expected object, received null'])
})

test('a fault behind an anchor is shown where the value stands', () => {
  const anchored = GOOD.replace('bmc: {', 'bmc: &bmc {').replace('host: 192.0.2.21', 'host: 7')
  const text = `${anchored}  pve2: { serial: S2, systemUuid: u, bmc: *bmc }\n`
  expect(parseFaults(text)).toEqual([
    'c.yaml:14:35: $.nodes.pve1.bmc.host: expected string, received number',
    'c.yaml:14:35: $.nodes.pve2.bmc.host: expected string, received number',
  ])
})

test('every secret that is not there is named by its place', () => {
  const path = join(folder, 'coulisse.yaml')
  writeFileSync(path, GOOD)
  expect(faultsOf(() => readConfig(path))).toEqual([
    `${path}:7:20: $.proxmox.entryPoints.0.tokenSecret: the environment variable COULISSE_TEST_TOKEN is not set`,
    `${path}:14:68: $.nodes.pve1.bmc.password: the secret file ${join(folder, 'bmc-pve1')} cannot be read`,
  ])
})

test('an entry point is trusted by its fingerprint or by an authority, by one of them', () => {
  const byAuthority = GOOD.replace('fingerprint256: AA:BB', 'ca: { file: pve-root-ca.pem }')
  expect(parseFaults(byAuthority)).toEqual([])
  const neither = GOOD.replace('      fingerprint256: AA:BB\n', '')
  const twice = GOOD.replace('fingerprint256: AA:BB', 'fingerprint256: AA:BB\n      ca: { file: pve-root-ca.pem }')
  for (const wrong of [neither, twice]) expect(parseFaults(wrong).join()).toContain('either fingerprint256 or ca')
})

test('a mail server may want a user, and then a password that stands elsewhere', () => {
  const withMail = (more: string) => `${GOOD}smtp: { host: mail.example, port: 465, from: c@example.net, ${more} }\n`
  expect(parseFaults(withMail('secure: true, user: c, password: { env: MAIL }'))).toEqual([])
  expect(parseFaults(withMail('user: c'))).toEqual([expect.stringContaining('$.smtp: user and password come together')])
  expect(parseFaults(withMail('user: c, password: hunter2')).join()).not.toContain('hunter2')
})

test('what is to go by ssh wants a key and known hosts, and a node may be found elsewhere', () => {
  const bySsh = GOOD.replace('ceph: none', 'ceph: { command: ssh, stopOsds: ssh }').replace(
    'proxmox:\n',
    'proxmox:\n  haManager: ssh\n',
  )
  const wanting = 'there is no ssh: { key: …, knownHosts: … } to use'
  expect(parseFaults(bySsh).map((fault) => fault.replace(/^c\.yaml:\d+:\d+: /, ''))).toEqual(
    ['$.proxmox.haManager', '$.ceph.command', '$.ceph.stopOsds'].map((path) => `${path}: ${wanting}`),
  )
  const config = parseConfig(
    `${bySsh}ssh: { key: id, knownHosts: /etc/coulisse/known_hosts, hosts: { pve1: { host: 192.0.2.11, port: 2222 } } }\n`,
    'c.yaml',
  )
  expect(sshRightsOf(config)).toEqual(['maintenance-mode', 'stop-osd', 'ceph'])
  expect(sshNodesOf(config, '/etc/coulisse')).toEqual({
    user: 'root',
    port: 22,
    key: '/etc/coulisse/id',
    knownHosts: '/etc/coulisse/known_hosts',
    nodes: { pve1: { host: '192.0.2.11', port: 2222 } },
  })
  const clock = { nowMs: async () => 0, sleepUntil: async () => undefined }
  expect(cephConfigOf(config, '/etc/coulisse', clock)).toMatchObject({ ssh: { user: 'root' }, stopOsds: { ssh: {} } })
  expect(haManagerOf(config, '/etc/coulisse')).toBeDefined()
  expect(haManagerOf(parseConfig(GOOD, 'c.yaml'), '/etc/coulisse')).toBeUndefined()
})

test('BMCs: who signs in how, which system it is, and how events come; what makes no sense is named', () => {
  const config = parseConfig(`${GOOD}watch: { events: { push: { listen: '0.0.0.0:8301' } } }\n`, 'c.yaml')
  expect(config.watch).toEqual({ everyS: 60, atOnce: 16, events: { push: { listen: '0.0.0.0:8301' } } })
  expect(parseConfig(`${GOOD}watch: { everyS: 30 }\n`, 'c.yaml').watch).toEqual({
    everyS: 30,
    atOnce: 16,
    events: 'off',
  })
  for (const wrong of ['events: mail', 'events: { push: { listen: here } }', 'atOnce: 0']) {
    expect(parseFaults(`${GOOD}watch: { ${wrong} }\n`).join()).toContain('$.watch.')
  }
})
