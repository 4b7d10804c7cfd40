import { afterEach, expect, test } from 'vitest'
import type { EvidenceDesk } from '#app/evidence/desk'
import { HEAD_FORMAT, KEY_FORMAT, ROOTS_FORMAT, type Roots } from '#domain/tree-head'
import { NIGHT, NightControlPlane } from '../sample-night.ts'
import { buildServer } from './server.ts'

const hash = (digit: string) => digit.repeat(64)
const atMs = Date.UTC(2026, 10, 3, 9)
const headAt = (number: number, day: string, root: string) =>
  ({
    format: HEAD_FORMAT,
    number,
    size: 10 * number,
    root,
    atMs,
    day,
    previous: null,
    key: 'k1',
    signature: 's',
  }) as const
const ROOTS: Roots = {
  format: ROOTS_FORMAT,
  hoster: 'Hosting <b>& Sons',
  simulated: true,
  keys: [{ format: KEY_FORMAT, id: 'k1', publicKey: hash('9'), sinceMs: atMs }],
  heads: [headAt(1, '2026-11-03', hash('a')), headAt(2, '2026-11-03', hash('b')), headAt(3, '2026-11-04', hash('c'))],
  links: [],
}

const servers: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

function serverWith(erased: string[] = []) {
  const evidence: EvidenceDesk = {
    bundle: async (_, customer) => (customer === 'acorn' ? '{"format":"coulisse/evidence@1"}' : undefined),
    roots: async () => ROOTS,
    erase: async (word) => erased.push(word),
  }
  const controlPlane = Object.assign(new NightControlPlane('over'), { evidence })
  const server = buildServer(controlPlane, { publicHosts: [], freshKey: () => 'k' })
  servers.push(server)
  return server
}

test('a customer’s evidence comes byte for byte as it was signed; who had no guest there has none', async () => {
  const server = serverWith()
  const good = await server.inject(`/api/maintenances/${NIGHT}/evidence/acorn`)
  expect([good.statusCode, good.body]).toEqual([200, '{"format":"coulisse/evidence@1"}'])
  expect((await server.inject(`/api/maintenances/${NIGHT}/evidence/birch`)).statusCode).toBe(404)
})

test('the last root of each day is published as a page, a feed and JSON, with names escaped', async () => {
  const server = serverWith()
  const page = (await server.inject('/public/roots')).body
  const feed = await server.inject('/public/roots.atom')
  for (const text of [page, feed.body]) {
    expect(text).toContain(hash('c'))
    expect(text).toContain(hash('b'))
    expect(text).not.toContain(hash('a'))
    expect(text).toContain('Hosting &lt;b&gt;&amp; Sons')
    expect(text).toMatch(/simulated/i)
  }
  expect(feed.headers['content-type']).toContain('application/atom+xml')
  expect(feed.body.indexOf(hash('c'))).toBeLessThan(feed.body.indexOf(hash('b')))
  expect((await server.inject('/public/roots.json')).json()).toEqual(ROOTS)
})

test('a word that is too short to name somebody is not erased', async () => {
  const erased: string[] = []
  const server = serverWith(erased)
  const erase = (word: string) => server.inject({ method: 'POST', url: '/api/erase', payload: { word } })
  expect((await erase('a ')).statusCode).toBe(422)
  expect((await erase('Acorn Ltd')).json()).toEqual({ erasedCount: 1 })
  expect(erased).toEqual(['Acorn Ltd'])
})
