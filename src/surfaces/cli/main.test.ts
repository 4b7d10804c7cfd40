import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer } from '../api/server.ts'
import { NIGHT, NightControlPlane, type NightMoment } from '../sample-night.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

type Ran = { readonly code: number; readonly out: string; readonly err: string }

function coulisse(...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

let folder: string
const closing: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coulisse-cli-'))
})
afterAll(async () => {
  await Promise.all(closing.map((close) => close()))
  await rm(folder, { recursive: true })
})

async function at(moment: NightMoment) {
  const controlPlane = new NightControlPlane(moment)
  const server = buildServer(controlPlane, { publicHosts: [], freshKey: () => crypto.randomUUID() })
  closing.push(() => server.close())
  return { controlPlane, url: await server.listen({ host: '127.0.0.1', port: 0 }) }
}

test('bad input: exit 2, one line a fault on stderr, nothing on stdout', async () => {
  const cases = [
    ['nope'],
    ['verify'],
    ['verify', '/nope'],
    ['bench', 'nope'],
    ['status', '--state', folder],
    ['pause', '--url', 'nope'],
    ['serve', '--config', '/nope'],
  ]
  for (const args of cases) {
    const { code, out, err } = await coulisse(...args)
    expect([args, code, out, err.trim().split('\n').length]).toEqual([args, 2, '', 1])
  }
})

test('help names the commands and leaves with 0', async () => {
  const { code, out } = await coulisse('--help')
  expect(code).toBe(0)
  for (const name of ['plan', 'detect', 'test', 'bench', 'verify', 'approve', 'abort', 'work-order']) {
    expect(out).toContain(name)
  }
})

test('prints what it would do, and does it with --yes alone', async () => {
  const { controlPlane, url } = await at('draining')
  const asked = await coulisse('abort', '--url', url, '--reason', 'wrong node', '--by', 'eva')
  expect([asked.code, asked.out, controlPlane.sent.length]).toEqual([1, '', 0])
  expect(asked.err).toContain('All is taken back')
  const done = await coulisse('abort', '--url', url, '--reason', 'wrong node', '--by', 'eva', '--yes', '--json')
  expect([done.code, JSON.parse(done.out)]).toEqual([0, { sent: true }])
  expect(controlPlane.sent).toMatchObject([{ message: { kind: 'abort', by: 'eva', reason: 'wrong node' } }])
})

test('approves the plan that waits, lifting by name', async () => {
  const { controlPlane, url } = await at('before approval')
  const kinds = 'migration-network-is-corosync'
  const args = ['approve', NIGHT, '--url', url, '--by', 'eva', '--reason', 'limited', '--lift', kinds, '--yes']
  expect((await coulisse(...args)).code).toBe(0)
  expect(controlPlane.sent).toMatchObject([{ message: { kind: 'approve', plan: 'plan-1', lifted: [kinds] } }])
})

test('what is off says why', async () => {
  const { url } = await at('draining')
  expect(await coulisse('resume', '--url', url, '--yes')).toEqual({
    code: 1,
    out: '',
    err: 'coulisse: resume is off: it is not paused\n',
  })
})

test('the technician’s answer goes in by the terminal, too', async () => {
  const { controlPlane, url } = await at('in repair')
  const shown = await coulisse('work-order', 'show', '--url', url)
  expect(shown.out).toContain('SAFE to touch')
  expect(shown.out).toContain('mad1, room 2, rack c, unit 17')
  const answer = [
    '--serial',
    'CZ3-0417',
    '--outcome',
    'repaired',
    '--did',
    'cleaned',
    '--did',
    'reseated',
    '--by',
    'Tom',
  ]
  expect((await coulisse('work-order', 'answer', '--url', url, ...answer, '--yes')).code).toBe(0)
  expect(controlPlane.sent).toMatchObject([{ message: { outcome: 'repaired', did: ['cleaned', 'reseated'] } }])
})

test('an exported journal verifies offline, and one that was changed does not', async () => {
  const { url } = await at('over')
  // The address as the control plane leaves it in its state folder.
  await mkdir(join(folder, 'logs'))
  await writeFile(join(folder, 'logs', 'control-plane.out'), `${JSON.stringify({ ready: true, url })}\n`)
  const file = join(folder, 'journal.json')
  expect((await coulisse('journal', 'export', NIGHT, '--state', folder, '--out', file)).code).toBe(0)
  const whole = await coulisse('verify', file, '--json')
  expect(JSON.parse(whole.out)).toMatchObject({ ok: true, problems: [] })
  await writeFile(file, (await readFile(file, 'utf8')).replace('"blackoutMs":148', '"blackoutMs":48'))
  const changed = await coulisse('verify', file, '--json')
  expect(changed.code).toBe(1)
  expect(JSON.parse(changed.out).problems).toHaveLength(1)
})

test('a control plane that does not answer is said, with its address', async () => {
  const { code, err } = await coulisse('status', '--url', 'http://127.0.0.1:9')
  expect(code).toBe(1)
  expect(err).toContain('no answer from the control plane at http://127.0.0.1:9')
})

test('a report is written in the form and language that somebody needs', async () => {
  const { url } = await at('over')
  const report = (...args: readonly string[]) =>
    coulisse('report', '--url', url, '--maintenance', NIGHT, '--customer', 'acorn', ...args)
  expect((await report('--format', 'md')).out).toMatch(/^# Maintenance of node pve3/)
  expect((await report('--format', 'md', '--lang', 'fr')).out).toMatch(/^# Maintenance du nœud pve3/)
  expect((await report('--format', 'ics')).out).toContain('X-MAINTNOTE-OBJECT-ID:acorn-shop')
  expect(JSON.parse((await report('--format', 'json')).out)).toMatchObject({
    format: 'coulisse/report@1',
    simulated: true,
  })
  const out = join(folder, 'acorn.pdf')
  expect(await report('--format', 'pdf', '--out', out)).toMatchObject({ code: 0, out: '' })
  expect((await readFile(out)).subarray(0, 5).toString()).toBe('%PDF-')
  const draft = await coulisse('report', '--url', url, '--maintenance', NIGHT, '--public')
  expect(draft.out).toMatch(/^<!-- Draft\./)
  expect(draft.out).not.toMatch(/acorn|pve\d/)
  const unknown = await coulisse('report', '--url', url, '--maintenance', NIGHT, '--customer', 'nobody')
  expect([unknown.code, unknown.out]).toEqual([1, ''])
  expect(unknown.err).toContain('report for nobody')
})

test('a month is reported to one, or to everybody into a folder', async () => {
  const { url } = await at('over')
  const report = (...args: readonly string[]) => coulisse('report', '--url', url, ...args)
  const one = await report('--month', '2026-03', '--customer', 'acorn', '--format', 'md', '--lang', 'es')
  expect(one.out).toMatch(/^# Lo que se hizo por usted en marzo de 2026/)
  const out = join(folder, 'months')
  expect(await report('--month', '2026-03', '--format', 'pdf', '--out', out)).toMatchObject({ code: 0, out: '' })
  expect((await readdir(out)).sort()).toEqual(['2026-03--acorn.pdf', '2026-03--birch.pdf', '2026-03--cedar.pdf'])
  expect(await report('--month', '2026-13', '--customer', 'acorn')).toMatchObject({ code: 1, out: '' })
  expect((await report('--month', '2026-03', '--format', 'ics', '--customer', 'acorn')).code).toBe(2)
})
