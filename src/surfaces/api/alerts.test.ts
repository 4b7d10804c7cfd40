/** From Alertmanager's message over HTTP to the watch's finding, over a real database. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { ALERTS_WAITING_LIMIT, alertReceiver } from '#app/alerts'
import { alertQueue } from '#app/fleet'
import { newWatchState, type Watch, type WatchState, watchOnce } from '#app/watch'
import { DriverError } from '#domain/driver-error'
import type { Finding } from '#domain/finding'
import { Secret } from '#domain/secret'
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { migrate } from '#drivers/postgres/migrate'
import { openPool } from '#drivers/postgres/pool'
import { alertSource } from '#drivers/prometheus/alert-source'
import { recordedPlacing as placing } from '#drivers/prometheus/testing'
import { selfSignedCertificate } from '#lab/wire/tls'
import { NightControlPlane } from '../sample-night.ts'
import { buildAlertServer } from './routes-alerts.ts'
import { buildServer } from './server.ts'

const stateDir = mkdtempSync(join(tmpdir(), 'coulisse-alerts-'))
const HOUR_MS = 3_600_000
let pool: pg.Pool
let nowMs = 0
let said: string[] = []
const clock = { nowMs: async () => nowMs, sleepUntil: async () => undefined }
const closing: { close(): Promise<unknown> }[] = []

beforeAll(async () => {
  const { url } = await startEmbeddedPostgres({ stateDir, log: () => {} })
  pool = openPool({ url, log: () => {} })
  await migrate(pool)
})
beforeEach(async () => {
  await pool.query('truncate coulisse.inbox')
  nowMs = Date.parse('2026-11-22T15:45:39Z')
  said = []
})
afterEach(async () => {
  await Promise.all(closing.splice(0).map((one) => one.close()))
})
afterAll(async () => {
  await pool?.end()
  await removeEmbeddedPostgres(stateDir)
  rmSync(stateDir, { recursive: true, force: true })
})

const recording = (name: string) => readFileSync(`contracts/recordings/prometheus/alertmanager-${name}.json`, 'utf8')
const SECRET = 'between-us-only'

function receiver(more: Partial<Parameters<typeof alertReceiver>[0]> = {}) {
  const secret = new Secret(SECRET)
  return alertReceiver({ queue: alertQueue(pool), placing, clock, secret, log: (text) => said.push(text), ...more })
}

function api(taking = receiver()) {
  const controlPlane = Object.assign(new NightControlPlane('draining'), {
    alerts: { receiver: taking, isOnApi: true },
  })
  const server = buildServer(controlPlane, { publicHosts: [], freshKey: () => 'k' })
  closing.push(server)
  const post = (payload: string | object, headers: Record<string, string> = {}) =>
    server.inject({
      method: 'POST',
      url: '/api/alertmanager',
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json', ...headers },
      payload,
    })
  return { server, post }
}

/** One alert of FAN3 that begins now and lasts half a minute. */
function dropout(status: 'firing' | 'resolved', beganMs: number): object {
  const message = JSON.parse(recording(status)) as { alerts: Record<string, unknown>[] }
  const startsAt = new Date(beganMs).toISOString()
  const endsAt = status === 'firing' ? '0001-01-01T00:00:00Z' : new Date(beganMs + 30_000).toISOString()
  return { ...message, status, alerts: message.alerts.map((alert) => ({ ...alert, status, startsAt, endsAt })) }
}

class Store {
  stored = JSON.stringify(newWatchState())
  readonly findings: Finding[] = []
  dies: 'never' | 'before it stores' | 'after it stored' = 'never'

  get state(): WatchState {
    return JSON.parse(this.stored) as WatchState
  }

  async round(): Promise<void> {
    const queue = alertQueue(pool)
    const removes = this.dies !== 'after it stored'
    const source = alertSource(removes ? queue : { waiting: (limit) => queue.waiting(limit), remove: deadDatabase })
    const watch: Watch = {
      nodes: [],
      poller: { round: async () => [] },
      clock,
      everyMs: 1,
      store: {
        load: async () => this.state,
        save: async (state) => {
          if (this.dies === 'before it stores') await deadDatabase()
          this.stored = JSON.stringify(state)
        },
      },
      sources: [source],
      onFinding: async (finding) => this.findings.push(finding) > 0,
      log: (text) => said.push(text),
    }
    await watchOnce(watch, this.state).catch((error: unknown) => {
      if (!(error instanceof DriverError) || this.dies === 'never') throw error
    })
  }
}

const deadDatabase = async (): Promise<never> => {
  throw new DriverError('postgres', 'die', { retry: 'later', text: 'killed' })
}

test('what a real Alertmanager sent is kept before the 200, and a fan that drops out is found', async () => {
  const { post } = api()
  const store = new Store()
  for (let hour = 0; hour < 24; hour += 6) {
    const beganMs = nowMs
    nowMs += 1_000
    expect((await post(dropout('firing', beganMs))).json()).toEqual({ kept: 1, unplaced: [], notes: [] })
    await store.round()
    nowMs += 31_000
    expect((await post(dropout('resolved', beganMs))).statusCode).toBe(200)
    await store.round()
    nowMs += 6 * HOUR_MS
  }
  await store.round()
  expect(store.findings.map(({ node, part, level }) => `${node} ${part} ${level}`)).toEqual([
    'pve3 FAN3 quarantine',
    'pve3 FAN3 drain-advised',
  ])
  expect(await alertQueue(pool).waiting(10)).toEqual([])
})

test.each(['before it stores', 'after it stored'] as const)(
  'a control plane that dies %s loses nothing and counts nothing twice',
  async (dies) => {
    const { post } = api()
    await post(dropout('firing', nowMs))
    const store = new Store()
    store.dies = dies
    await store.round()
    store.dies = 'never'
    await store.round()
    await post(dropout('firing', nowMs))
    await store.round()
    expect(store.state.detector.nodes.pve3?.parts.FAN3?.trouble?.episodes).toHaveLength(1)
    expect(await alertQueue(pool).waiting(10)).toEqual([])
  },
)

test('sent again while it waits it is one, and whoever has not the secret learns nothing', async () => {
  const { post, server } = api()
  await post(recording('firing'))
  await post(recording('firing'))
  expect(await alertQueue(pool).waiting(10)).toHaveLength(1)
  for (const authorization of ['', 'Bearer ', 'Bearer wrong', `bearer ${SECRET}`, `Basic ${SECRET}`]) {
    const refused = await post('{', { authorization })
    expect([refused.statusCode, refused.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    expect(refused.json()).toEqual({ type: 'about:blank', status: 401, title: 'not authorised' })
  }
  expect((await server.inject('/api/alertmanager')).json()).toMatchObject({ messages: 2, kept: 2, unreadable: 0 })
})

test('bad bodies are refused in words: garbage, a page, half a JSON, nothing, another format, too large', async () => {
  const { post } = api()
  const statusOf = async (payload: string, type = 'application/json') =>
    (await post(payload, { 'content-type': type })).statusCode
  expect(await statusOf('\u0001garbage')).toBe(400)
  expect(await statusOf('<html></html>', 'text/html')).toBe(415)
  expect(await statusOf(recording('firing').slice(0, 200))).toBe(400)
  expect(await statusOf('')).toBe(400)
  expect(await statusOf(JSON.stringify({ a: 'x'.repeat(5 * 1024 * 1024) }))).toBe(413)
  const other = await post({ version: '1', alerts: [{}] })
  expect([other.statusCode, other.json().faults[0]]).toEqual([
    422,
    { path: 'version', text: 'only version "4" of Alertmanager’s format is read' },
  ])
  expect((await post(recording('firing'))).statusCode).toBe(200)
})

test('alerts of no node of ours are counted and said, once', async () => {
  const { post, server } = api(receiver({ placing: { ...placing, aliases: {} } }))
  const alert = 'CoulisseFanCritical of 127.0.0.1:9521'
  for (let times = 0; times < 2; times++) {
    expect((await post(recording('firing'))).json()).toMatchObject({
      kept: 0,
      unplaced: [{ alert, why: 'no node of ours' }],
    })
  }
  expect(said).toEqual([`alertmanager: ${alert}: no node of ours`])
  expect((await server.inject('/api/alertmanager')).json()).toMatchObject({ unplaced: { 'no node of ours': 2 } })
})

test('a clock an hour ahead is taken, and said', async () => {
  nowMs -= HOUR_MS
  const answer = (await api().post(recording('firing'))).json()
  expect(answer).toMatchObject({ kept: 1, notes: ['the clock of Prometheus is 60 min ahead of ours: set both by NTP'] })
})

test('a queue that is full, or a database that is away, makes Alertmanager send it again', async () => {
  const full = await api(receiver({ queue: { put: async () => 'full' } })).post(recording('firing'))
  expect([full.statusCode, full.headers['retry-after']]).toEqual([503, '60'])
  expect(full.json().detail).toContain(String(ALERTS_WAITING_LIMIT))
  const away = await api(receiver({ queue: { put: deadDatabase } })).post(recording('firing'))
  expect([away.statusCode, away.headers['retry-after']]).toEqual([503, '10'])
  expect(away.body).not.toContain('killed')
})

test('labels that PostgreSQL cannot keep as they are do no harm', async () => {
  const message = JSON.parse(recording('firing')) as { alerts: { labels: Record<string, string> }[] }
  const labels = { node: 'pve3', part: 'FAN\u00003\ud800' }
  expect((await api().post({ ...message, alerts: [{ ...message.alerts[0], labels }] })).json()).toMatchObject({
    kept: 1,
  })
  expect((await alertQueue(pool).waiting(1))[0]?.message.part).toBe('FAN\ufffd3\ufffd')
})

test('on a listener of its own, nobody without a certificate of the authority gets as far as a request', async () => {
  const own = selfSignedCertificate('coulisse.example', Date.now())
  const theirs = selfSignedCertificate('alertmanager.example', Date.now())
  const stranger = selfSignedCertificate('alertmanager.example', Date.now())
  const server = buildAlertServer(receiver({ secret: undefined }), { ...own, clientCa: theirs.cert })
  closing.push(server)
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const send = (identity: object, path = '/api/alertmanager') =>
    new Promise<number>((resolve, reject) => {
      const body = recording('firing')
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const ask = request(
        `${url}${path}`,
        { method: 'POST', ca: own.cert, agent: false, headers, ...identity },
        (answer) => resolve(answer.resume().statusCode ?? 0),
      )
      ask.on('error', reject)
      ask.end(body)
    })
  expect(await send({ key: theirs.key, cert: theirs.cert })).toBe(200)
  expect(await send({ key: theirs.key, cert: theirs.cert }, '/api/maintenances')).toBe(404)
  await expect(send({})).rejects.toThrow()
  await expect(send({ key: stranger.key, cert: stranger.cert })).rejects.toThrow()
  expect(await alertQueue(pool).waiting(10)).toHaveLength(1)
})
