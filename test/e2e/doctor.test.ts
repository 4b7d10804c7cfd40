/** `coulisse doctor` as an operator runs it, against a lab that serves: exit, table, JSON, and what mends. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Check } from '#domain/check'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { coulisse, freshFolder } from './coulisse.ts'
import { configFor, DEMO_CLUSTER, end, type ServedLab, serveLab } from './lab-and-control-plane.ts'

let lab: ServedLab
let postgres: EmbeddedPostgres
beforeAll(async () => {
  lab = await serveLab('--snapshot', DEMO_CLUSTER, '--speed', '1')
  postgres = await startEmbeddedPostgres({ stateDir: freshFolder('doctor-database'), log: () => {} })
})
afterAll(async () => {
  await end(lab.run)
  await postgres.stop()
})

async function doctor(change?: (yaml: string) => string) {
  const config = configFor(freshFolder('doctor'), lab.ready, postgres.url, change)
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
    expect.arrayContaining(['configuration', 'database', 'proxmox', 'clock', 'ceph', 'bmc', 'inventory', 'mail']),
  )
})

test('what is missing is exit 1, each with its command; a BMC’s password is never shown', async () => {
  const { code, bad } = await doctor((yaml) =>
    yaml.replace(/^smtp:\n( {2}.*\n)+/m, '').replace(/(?<=url: https:\/\/127\.0\.0\.1:)\d+(?=\n {6}user)/, '9'),
  )
  expect(code).toBe(1)
  expect(bad.map(({ area }) => area)).toEqual(['bmc', 'mail'])
  for (const { mend } of bad) expect(mend).toBeTruthy()
  expect(JSON.stringify(bad)).not.toContain(lab.ready.redfish[0]?.password)
})

test('two exchanged BMC addresses are dangerous, exit 2, and the table says so to a person', async () => {
  const swap = (yaml: string) => {
    const [one, two] = lab.ready.redfish
    if (one === undefined || two === undefined) throw new Error('the lab has no two BMCs')
    return yaml.replace(one.url, 'ONE').replace(two.url, one.url).replace('ONE', two.url)
  }
  const { code, bad, config } = await doctor(swap)
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
  const { code, out, err } = await doctor((yaml) => yaml.replace('ceph:', 'cehp:'))
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/config\.yaml:\d+:\d+: \$\.cehp: no such key/)
})
