/** SIGHUP over a control plane that serves: what may change is taken, what may not is named, and a bad file changes nothing. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { freshFolder, getJson, postJson, type Run, until } from './coulisse.ts'
import { configFor, DEMO_CLUSTER, end, type ServedLab, serve, serveLab } from './lab-and-control-plane.ts'

let lab: ServedLab
let postgres: EmbeddedPostgres
let config: string
let served: { readonly run: Run; readonly url: string }
beforeAll(async () => {
  lab = await serveLab('--snapshot', DEMO_CLUSTER, '--follow', '--speed', 'max')
  postgres = await startEmbeddedPostgres({ stateDir: freshFolder('reload-database'), log: () => {} })
  config = configFor(freshFolder('reload'), lab.ready, postgres.url)
  served = await serve(config, lab.ready)
})
afterAll(async () => {
  await end(served?.run, lab.run)
  await postgres.stop()
  rmSync(config, { force: true })
})

/** Writes, hangs up, and waits for what the log says of it. */
async function hangUp(change: (yaml: string) => string): Promise<string> {
  const before = readFileSync(config, 'utf8')
  writeFileSync(config, change(before))
  const from = served.run.err.length
  served.run.kill('SIGHUP')
  const said = await until('a word on the configuration', () => {
    const text = served.run.err.slice(from)
    return /configuration was read again.*\n/.test(text) ? text : undefined
  })
  writeFileSync(config, before)
  return said
}

const startOn = async (node: string) =>
  JSON.stringify((await postJson(`${served.url}/api/maintenances`, { node, reason: 'a fan is loud', by: 'olga' })).body)
const isAnswering = async () => (await getJson(`${served.url}/api/health`)) !== undefined

test('nodes and mails that changed are taken at once, without a restart', async () => {
  const said = await hangUp((yaml) =>
    yaml.replace(/^ {2}pve4:\n( {4}.*\n)+/m, '').replace(/^operatorMail: .*$/m, 'operatorMail: night@example.net'),
  )
  expect(said).toMatch(/read again, and taken; changed: nodes, operatorMail/)
  expect(await startOn('pve4')).toMatch(/the configuration has no node pve4/)
  expect(await hangUp((yaml) => yaml)).toMatch(/taken; changed: nodes, operatorMail/)
})

test('what cannot change while we run is named, and all that came with it stays out', async () => {
  const said = await hangUp((yaml) =>
    yaml.replace(/^listen: .*$/m, 'listen: 127.0.0.1:1').replace(/^hoster: .*$/m, 'hoster: Another'),
  )
  expect(said).toMatch(/not taken: listen cannot change while we run; restart for that/)
  expect(await isAnswering()).toBe(true)
  expect(await hangUp((yaml) => yaml)).toMatch(/taken; the same but for its secrets/)
})

test('a bad file leaves the old one in force, and says its faults with line and column', async () => {
  const said = await hangUp((yaml) => `${yaml}surprise: 1\n`)
  expect(said).toMatch(/not taken, the old one stays:/)
  await until('the fault', () =>
    /config\.yaml:\d+:1: \$\.surprise: no such key/.test(served.run.err) ? true : undefined,
  )
  expect(await isAnswering()).toBe(true)
})
