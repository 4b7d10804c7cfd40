/** `coulisse doctor` as an operator runs it, against a lab that serves: exit, table, JSON, and what mends. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Check } from '#domain/check'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { coulisse, freshFolder, postJson } from './coulisse.ts'
import { configFor, DEMO_CLUSTER, end, type ServedLab, serveLab } from './lab-and-control-plane.ts'

let lab: ServedLab
let postgres: EmbeddedPostgres
let least: Change
beforeAll(async () => {
  lab = await serveLab('--snapshot', DEMO_CLUSTER, '--speed', '1')
  postgres = await startEmbeddedPostgres({ stateDir: freshFolder('doctor-database'), log: () => {} })
  least = await tokenWithout()
})
afterAll(async () => {
  await end(lab.run)
  await postgres.stop()
})

/** A token of the lab's with the least that the story needs, but for what is left out; answers the change of a configuration to it. */
async function tokenWithout(...without: readonly string[]): Promise<(yaml: string) => string> {
  const tokenId = `coulisse@pve!least${without.length}`
  const { status, body } = await postJson(`${lab.ready.control}/tokens`, { tokenId, without })
  expect(status).toBe(201)
  const file = join(freshFolder('token'), 'secret')
  writeFileSync(file, String(body.tokenSecret), { mode: 0o600 })
  return (yaml) =>
    yaml.replaceAll(/tokenId: .*/g, `tokenId: ${tokenId}`).replaceAll(/file: .*proxmox-token/g, `file: ${file}`)
}

type Change = (yaml: string) => string

async function doctor({ token = least, change = (yaml) => yaml }: { token?: Change; change?: Change } = {}) {
  const config = configFor(freshFolder('doctor'), lab.ready, postgres.url, (yaml) => change(token(yaml)))
  const ran = await coulisse(['doctor', '--config', config, '--json'], { COULISSE_LAB_CONTROL: lab.ready.control })
  const checks = ran.out === '' ? [] : (JSON.parse(ran.out) as Check[])
  return { ...ran, config, bad: checks.filter(({ outcome }) => outcome !== 'fine'), checks }
}

test('a cluster that lacks nothing is fine in every area, exit 0', async () => {
  const { code, bad, checks } = await doctor()
  expect(bad).toEqual([])
  expect(code).toBe(0)
  const areas = new Set(checks.map(({ area }) => area))
  expect([...areas]).toEqual(
    expect.arrayContaining([
      'configuration',
      'database',
      'proxmox',
      'clock',
      'ha-manager',
      'ceph',
      'bmc',
      'inventory',
      'mail',
    ]),
  )
})

test('what is missing is exit 1, each with its command; a BMC’s password is never shown', async () => {
  const { code, bad } = await doctor({
    change: (yaml) =>
      yaml.replace(/^smtp:\n( {2}.*\n)+/m, '').replace(/(?<=url: https:\/\/127\.0\.0\.1:)\d+(?=\n {6}user)/, '9'),
  })
  expect(code).toBe(1)
  expect(bad.map(({ area }) => area)).toEqual(['bmc', 'mail'])
  for (const { mend } of bad) expect(mend).toBeTruthy()
  expect(JSON.stringify(bad)).not.toContain(lab.ready.redfish[0]?.password)
})

test('a token that lacks VM.Audit: exactly that is named, with its stages and the command that grants it', async () => {
  const { code, bad } = await doctor({ token: await tokenWithout('VM.Audit') })
  // Guests that are proven to be hidden are worse than a right that lacks.
  expect(code).toBe(2)
  expect(bad.filter(({ outcome }) => outcome === 'dangerous').map(({ area, text }) => `${area}: ${text}`)).toEqual([
    expect.stringMatching(/^proxmox: .*guests/),
  ])
  const [right, ...others] = bad.filter(({ subject }) => subject === 'the token coulisse@pve!least1')
  expect(right).toMatchObject({ area: 'proxmox', outcome: 'missing' })
  expect(right?.text).toBe('it lacks VM.Audit on /vms: guests are hidden, without a word')
  expect(right?.stages).toEqual(expect.arrayContaining(['plan', 'drain', 'reintegrate']))
  expect(right?.mend).toMatch(/pveum role .* --privs "[^"]*VM\.Audit/)
  expect(right?.mend).toMatch(
    /pveum acl modify \/ --users 'coulisse@pve' --tokens 'coulisse@pve!least1' --roles CoulisseObserve/,
  )
  expect(others.map(({ text }) => text).filter((text) => /lacks/.test(text))).toEqual([])
})

test('a Ceph that the configuration does not name is dangerous', async () => {
  const { code, bad } = await doctor({ change: (yaml) => yaml.replace(/^ceph:\n( .*\n)+/m, 'ceph: none\n') })
  expect(code).toBe(2)
  expect(bad.map(({ area, outcome }) => `${area} ${outcome}`)).toEqual(['ceph dangerous'])
})

test('two exchanged BMC addresses are dangerous, exit 2, and the table says so to a person', async () => {
  const swap = (yaml: string) => {
    const [one, two] = lab.ready.redfish
    if (one === undefined || two === undefined) throw new Error('the lab has no two BMCs')
    return yaml.replace(one.url, 'ONE').replace(two.url, one.url).replace('ONE', two.url)
  }
  const { code, bad, config } = await doctor({ change: swap })
  expect(code).toBe(2)
  expect(bad.map(({ area, outcome }) => `${area} ${outcome}`)).toEqual(['bmc dangerous', 'bmc dangerous'])
  const table = await coulisse(['doctor', '--config', config], { COULISSE_LAB_CONTROL: lab.ready.control })
  expect(table.code).toBe(2)
  expect(table.out).toMatch(/^dangerous {2}bmc {12}pve1, /m)
  expect(table.out).toMatch(/ > on pve1: dmidecode/)
  expect(table.out).toMatch(/fine, 0 missing, 2 dangerous\n$/)
  expect(table.out).not.toContain('\x1b')
})

test('a configuration that cannot be read is exit 2 with nothing on stdout', async () => {
  const { code, out, err } = await doctor({ change: (yaml) => yaml.replace('ceph:', 'cehp:') })
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/config\.yaml:\d+:\d+: \$\.cehp: no such key/)
})
