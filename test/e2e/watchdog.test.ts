/** `coulisse watchdog` as cron runs it, against a lab that serves and a real PostgreSQL; what it shouts arrives by SMTP and HTTP. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { type SmtpSink, type SunkMail, startSmtpSink } from '#lab/wire/smtp/smtp-sink'
import { coulisse, freshFolder, getJson, postJson, Run, until } from './coulisse.ts'
import { configFor, DEMO_CLUSTER, end, type ServedLab, serve, serveLab } from './lab-and-control-plane.ts'

type Said = { readonly is: string; readonly key: string; readonly kind: string; readonly text: string }
type Posted = { readonly cluster: string; readonly shouts: readonly Said[] }
type Answer = {
  readonly standing: readonly { readonly kind: string; readonly subject: string; readonly text: string }[]
}

const HOUR_MS = 3_600_000

const mails: SunkMail[] = []
const posts: Posted[] = []
let lab: ServedLab
let postgres: EmbeddedPostgres
let sink: SmtpSink
let hook: ReturnType<typeof createServer>
let config: string
let served: { readonly run: Run } | undefined
/** Where the control plane listens, or listened. */
let url = ''

beforeAll(async () => {
  lab = await serveLab('--snapshot', DEMO_CLUSTER, '--speed', '20')
  postgres = await startEmbeddedPostgres({ stateDir: freshFolder('watchdog-database'), log: () => {} })
  sink = await startSmtpSink({
    onMail: (mail) => {
      mails.push(mail)
      return 'taken'
    },
  })
  hook = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    posts.push(JSON.parse(text) as Posted)
    response.writeHead(204).end()
  })
  await new Promise<void>((ready) => hook.listen(0, '127.0.0.1', ready))
  const { port } = hook.address() as AddressInfo
  const watchdog = [
    'watchdog:',
    '  mail: night@hoster.example',
    `  webhook: { url: 'http://127.0.0.1:${port}/hook' }`,
    '  metrics: { textfile: coulisse.prom, listen: 127.0.0.1:0 }',
    '  patienceS: 0',
    '',
  ].join('\n')
  config = configFor(freshFolder('watchdog'), lab.ready, postgres.url, (yaml) =>
    `${yaml}${watchdog}`.replace(/(smtp:\n {2}host: 127\.0\.0\.1\n {2}port: )\d+/, `$1${sink.port}`),
  )
})
afterAll(async () => {
  await end(served?.run, lab?.run)
  await sink?.close()
  hook?.close()
  await postgres?.stop()
})

/** `more`: lines for the end of the configuration, where the watchdog's keys are. */
async function lookOnce(more = '') {
  const before = { mails: mails.length, posts: posts.length }
  const other = join(dirname(config), 'other.yaml')
  const health = url === '' ? '' : `  health: ${url}/api/health\n`
  writeFileSync(other, `${readFileSync(config, 'utf8')}${health}${more}`)
  const ran = await coulisse(['watchdog', '--config', other, '--once', '--json'], {
    COULISSE_LAB_CONTROL: lab.ready.control,
  })
  const kinds = ran.out === '' ? [] : (JSON.parse(ran.out) as Answer).standing.map(({ kind }) => kind)
  const shouts = posts.slice(before.posts).flatMap((post) => post.shouts)
  return { ...ran, kinds, mailed: mails.slice(before.mails), shouts }
}

const textfile = () => readFileSync(join(dirname(config), 'coulisse.prom'), 'utf8')

test('bad input is exit 2, one line a fault', async () => {
  const both = await coulisse(['watchdog', '--config', config, '--once', '--every', '60s'])
  expect(both).toMatchObject({ code: 2, out: '', err: 'watchdog: either --once or --every TIME\n' })
  expect((await coulisse(['watchdog', '--config', config, '--every', '1ms'])).code).toBe(2)
  const bad = configFor(freshFolder('watchdog-bad'), lab.ready, postgres.url, (yaml) => {
    return `${yaml}watchdog: { metrics: { listen: '0.0.0.0:9469' } }\n`
  })
  const wide = await coulisse(['watchdog', '--config', bad, '--once'])
  expect(wide.code).toBe(2)
  expect(wide.err).toMatch(/\$\.watchdog\.metrics\.listen: HOST:PORT of this machine alone/)
})

test('a control plane that was never there is gone: told by mail and webhook once, in the textfile, exit 1', async () => {
  const first = await lookOnce()
  expect(first).toMatchObject({ code: 1, kinds: ['control-plane-gone'] })
  expect(first.mailed).toMatchObject([{ to: 'night@hoster.example' }])
  expect(first.mailed[0]?.text).toMatch(/control plane: the control plane is gone \(critical/)
  expect(first.shouts).toMatchObject([{ is: 'new', key: 'control-plane-gone/control plane' }])
  expect(textfile()).toContain('coulisse_watchdog_alerts{kind="control-plane-gone"} 1\n')
  expect(textfile()).toContain('coulisse_watchdog_seen{what="database"} 1\n')
  const second = await lookOnce()
  expect(second).toMatchObject({ code: 1, kinds: ['control-plane-gone'], mailed: [], shouts: [] })
})

test('a control plane that works answers, and holds its lock in the database: nothing stands, exit 0', async () => {
  const one = await serve(config, lab.ready)
  served = one
  url = one.url
  expect(await lookOnce()).toMatchObject({ code: 0, kinds: [], out: expect.stringContaining('"standing":[]') })
  expect(textfile()).toContain('coulisse_watchdog_alerts{kind="control-plane-gone"} 0\n')
})

/** As an operator types it. */
async function ceph(args: readonly string[], input = ''): Promise<string> {
  const { command, env } = lab.ready.ceph as { command: readonly string[]; env: Record<string, string> }
  const [program = '', ...leading] = command
  const running = promisify(execFile)(program, [...leading, ...args], { env: { ...process.env, ...env } })
  running.child.stdin?.end(input)
  return (await running).stdout
}

const worldNowMs = async () => (await getJson<{ nowMs: number }>(`${url}/api/health`))?.nowMs ?? 0

/** A node asked into maintenance mode is there after a cycle of its LRM and one of the manager. */
const HA_TAKES_MS = 40_000

async function passTime(ms: number): Promise<void> {
  const untilMs = (await worldNowMs()) + ms
  await until('the world’s time to pass', async () => ((await worldNowMs()) >= untilMs ? true : undefined))
}

/** Ran out an hour ago, and its maintenance is unknown. */
async function leaveLease(owner: string): Promise<void> {
  const nowMs = await worldNowMs()
  const lease = { owner, host: 'pve2', reason: 'left', setAtMs: nowMs - 5 * HOUR_MS, expiresAtMs: nowMs - HOUR_MS }
  await ceph(['osd', 'set-group', 'noout', 'pve2'])
  const text = JSON.stringify({ ...lease, flagsBefore: [] })
  await ceph(['config-key', 'set', 'coulisse/lease/pve2', '--in-file', '-'], text)
}

test('a lease of nobody that ran out, and a mode that nobody set for a maintenance, are shouted, and left alone', async () => {
  await postJson(`${lab.ready.control}/faults`, { kind: 'maintenance-mode-by-other', node: 'pve2' })
  await passTime(HA_TAKES_MS)
  await leaveLease('coulisse/pve2-gone')
  const found = await lookOnce()
  expect(found).toMatchObject({
    code: 1,
    kinds: ['lease-expired', 'lease-without-maintenance', 'maintenance-mode-left'],
  })
  expect(found.mailed).toHaveLength(1)
  expect(found.mailed[0]?.subject).toMatch(/pve2: the noout lease ran out \(and \d more\)/)
  expect(found.mailed[0]?.text).toMatch(/nothing is cleared: the policy does not let the watchdog/)
  expect(await ceph(['config-key', 'get', 'coulisse/lease/pve2'])).toContain('coulisse/pve2-gone')
})

test('where the policy lets it, it gives that lease back, and the journal shows intent and outcome', async () => {
  const released = await lookOnce('  releaseExpiredLease: true\n')
  expect(released.shouts).toContainEqual(expect.objectContaining({ is: 'new', key: 'lease-released/pve2' }))
  expect(await ceph(['osd', 'dump', '--format', 'json'])).not.toContain('noout')
  await expect(ceph(['config-key', 'get', 'coulisse/lease/pve2'])).rejects.toThrow()
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  const { rows } = await client.query<{ kind: string; act: string | null }>(
    `select event->>'kind' as kind, event->'act'->>'kind' as act from coulisse.journal
     where maintenance = 'pve2-gone' order by seq`,
  )
  await client.end()
  expect(rows.map(({ kind, act }) => [kind, act].filter((one) => one !== null).join(' '))).toEqual([
    'said',
    'intends clear-noout',
    'did clear-noout',
    'intends delete-lease',
    'did delete-lease',
    'lease-released',
  ])
  // That it is over is told after some minutes, in case it comes back.
  expect((await lookOnce()).kinds).toEqual(['maintenance-mode-left'])
  await leaveLease('coulisse/pve2-gone')
})

test('a killed control plane and a stopped database are both said, and the cluster is still seen', async () => {
  served?.run.kill('SIGKILL')
  await served?.run.ended
  served = undefined
  await postgres.stop()
  const dark = await lookOnce()
  // Whose lease and whose mode it is cannot be judged: what stood of that stands.
  expect(dark.kinds).toEqual(['control-plane-gone', 'database-gone', 'lease-expired', 'maintenance-mode-left'])
  expect(textfile()).toContain('coulisse_watchdog_seen{what="database"} 0\n')
  expect(textfile()).toContain('coulisse_watchdog_seen{what="ceph"} 1\n')
  expect(textfile()).not.toContain('coulisse_maintenances_open')
})

test('in a loop it serves its metrics on loopback until a signal, and a second look is no second shout', async () => {
  const told = posts.length
  const run = new Run(['watchdog', '--config', config, '--every', '5s'], { COULISSE_LAB_CONTROL: lab.ready.control })
  const { metrics } = await run.firstLine<{ metrics: string }>('out')
  const text = await until('metrics', async () => {
    const answer = await fetch(metrics)
    return answer.status === 200 ? await answer.text() : undefined
  })
  expect(text).toContain('coulisse_watchdog_alerts{kind="database-gone"} 1\n')
  expect((await fetch(metrics.replace('/metrics', '/'))).status).toBe(404)
  run.kill('SIGTERM')
  expect(await run.ended).toMatchObject({ code: 0 })
  expect(posts.slice(told).flatMap(({ shouts }) => shouts.filter(({ is }) => is === 'new'))).toEqual([])
  expect(existsSync(join(dirname(config), 'watchdog.json'))).toBe(true)
})
