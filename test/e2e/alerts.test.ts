/** `serve` with a configuration that names Alertmanager: its message reaches the watch, and survives a kill on the way. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { freePort } from '#lab/real/prometheus-chain'
import { selfSignedCertificate } from '#lab/wire/tls'
import { freshFolder, getJson, postJson, until } from './coulisse.ts'
import { configFor, DEMO_CLUSTER, end, type ServedLab, serve, serveLab } from './lab-and-control-plane.ts'

let folder: string
let postgres: EmbeddedPostgres
let lab: ServedLab
beforeAll(async () => {
  folder = freshFolder('alerts')
  postgres = await startEmbeddedPostgres({ stateDir: folder, log: () => {} })
  lab = await serveLab('--snapshot', DEMO_CLUSTER, '--follow', '--speed', 'max')
})
afterAll(async () => {
  await end(lab?.run)
  await postgres?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const message = (node: string) => {
  const one = JSON.parse(readFileSync('contracts/recordings/prometheus/alertmanager-firing.json', 'utf8'))
  const [alert] = one.alerts
  return { ...one, alerts: [{ ...alert, labels: { ...alert.labels, node }, fingerprint: node }] }
}

/** What the watch remembers of FAN3. */
async function episodesOf(node: string): Promise<number | undefined> {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  try {
    const { rows } = await client.query("select value from coulisse.document where key = 'watch'")
    return rows[0]?.value?.detector?.nodes?.[node]?.parts?.FAN3?.trouble?.episodes?.length
  } finally {
    await client.end()
  }
}

test('on the API behind its secret, and not lost by a control plane that is killed right after its 200', async () => {
  const path = configFor(folder, lab.ready, postgres.url, (yaml) => `${yaml}alertmanager: { secret: { env: HOOK } }\n`)
  const env = { HOOK: 'between-us' }
  const [node = ''] = Object.keys(lab.ready.nodes)
  const first = await serve(path, lab.ready, env)
  const hook = (url: string) => `${url}/api/alertmanager`
  expect((await postJson(hook(first.url), message(node))).status).toBe(401)
  const kept = await postJson(hook(first.url), message(node), { authorization: 'Bearer between-us' })
  expect(kept).toMatchObject({ status: 200, body: { kept: 1, unplaced: [] } })
  first.run.kill('SIGKILL')
  await first.run.ended
  const second = await serve(path, lab.ready, env)
  try {
    expect(await until('the watch to have it', () => episodesOf(node))).toBe(1)
    expect((await postJson(hook(second.url), message(node), { authorization: 'Bearer between-us' })).status).toBe(200)
    expect(await getJson(hook(second.url))).toMatchObject({ messages: 1, kept: 1 })
  } finally {
    await end(second.run)
  }
})

test('on a listener of its own, for who has a certificate; the API then takes none', async () => {
  const [own, theirs] = [
    selfSignedCertificate('localhost', Date.now()),
    selfSignedCertificate('am.example', Date.now()),
  ]
  for (const [name, text] of Object.entries({ cert: own.cert, key: own.key, clients: theirs.cert })) {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
  }
  const port = await freePort()
  const files = `cert: { file: cert }, key: { file: key }, clientCa: { file: clients }`
  const path = configFor(
    folder,
    lab.ready,
    postgres.url,
    (yaml) => `${yaml}alertmanager: { listen: { at: '127.0.0.1:${port}', ${files} } }\n`,
  )
  const [, node = ''] = Object.keys(lab.ready.nodes)
  const { run, url } = await serve(path, lab.ready)
  try {
    expect((await postJson(`${url}/api/alertmanager`, message(node))).status).toBe(404)
    await until('the listener', () => (run.err.includes('alerts are taken at https://') ? true : undefined))
    const body = JSON.stringify(message(node))
    const status = await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const identity = { ca: own.cert, cert: theirs.cert, key: theirs.key, agent: false }
      const ask = request(
        `https://127.0.0.1:${port}/api/alertmanager`,
        { method: 'POST', headers, ...identity },
        (answer) => resolve(answer.resume().statusCode),
      )
      ask.on('error', reject)
      ask.end(body)
    })
    expect(status).toBe(200)
    expect(await until('the watch to have it', () => episodesOf(node))).toBe(1)
  } finally {
    await end(run)
  }
})
