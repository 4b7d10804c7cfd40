/** A witness and a control plane over real sockets: orders, signed samples, a control plane that is away, and what all that says. */
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import { chunkId, type ProbeTarget } from '#domain/probing'
import { openSigningKey } from '#drivers/files/signing-key'
import type { StoredChunk } from '#drivers/postgres/samples'
import { buildServer } from '#surfaces/api/server'
import { NightControlPlane } from '#surfaces/sample-night'
import { type SampleStore, windowsOf, witnessDesk, witnessProbe } from './desk.ts'
import { readWitnessConfig, runWitness } from './run-witness.ts'

const GUEST = vmid(101)
let folder = ''
const closing: (() => unknown)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coulisse-witness-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  rmSync(folder, { recursive: true, force: true })
})

function memoryStore(): SampleStore & { readonly all: Map<string, StoredChunk> } {
  const all = new Map<string, StoredChunk>()
  return {
    all,
    async put(chunks) {
      const fresh = chunks.filter(({ chunk }) => !all.has(chunkId(chunk)))
      for (const one of fresh) all.set(chunkId(one.chunk), one)
      return fresh.length
    },
    find: async (guest, { fromMs, toMs }) =>
      [...all.values()].filter(
        ({ chunk }) =>
          chunk.guest === guest &&
          chunk.firstAtMs < toMs &&
          chunk.firstAtMs + chunk.periodMs * chunk.answersUs.length > fromMs,
      ),
    forgetOld: async () => {},
  }
}

async function listeningTarget(): Promise<ProbeTarget> {
  const server = createServer((socket) => socket.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  return { id: 'web', guest: GUEST, how: { is: 'tcp', host: '127.0.0.1', port } }
}

type Parts = {
  readonly store: SampleStore
  readonly targets: readonly ProbeTarget[]
  readonly keys?: readonly string[]
}

/** A control plane in which a maintenance runs since a minute: the beat is the fast one. */
async function controlPlane(
  { store, targets, keys }: Parts,
  port = 0,
): Promise<{ url: string; server: FastifyInstance }> {
  const publicKey = openSigningKey(join(folder, 'w', 'witness.pem')).publicKey
  const witness = witnessDesk({
    store,
    witnesses: () => Object.fromEntries((keys ?? [publicKey]).map((key, index) => [`w${index}`, { publicKey: key }])),
    targets: () => targets,
    views: async () => [{ openedAtMs: Date.now() - 60_000, ended: undefined } as never],
    nowMs: () => Date.now(),
    log: () => {},
  })
  const server = buildServer(Object.assign(new NightControlPlane('draining'), { witness }), {
    publicHosts: [],
    freshKey: () => 'k',
  })
  closing.push(() => server.close())
  const url = await server.listen({ host: '127.0.0.1', port })
  return { url, server }
}

function witness(control: string) {
  const stop = new AbortController()
  const log: string[] = []
  const config = { name: 'mad1', stateDir: join(folder, 'w'), control, probes: [], windows: [] }
  const ended = runWitness(config, { signal: stop.signal, log: (text) => log.push(text), onReady: () => {} })
  const end = async () => {
    stop.abort()
    await ended
  }
  closing.push(end)
  return { log, end }
}

async function until(isSo: () => boolean | Promise<boolean>, limitMs = 30_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error('it does not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const spooled = () => readdirSync(join(folder, 'w', 'spool')).length

test('a witness takes its orders, probes in the fast beat, and its samples say what the guest felt', async () => {
  const store = memoryStore()
  const { url } = await controlPlane({ store, targets: [await listeningTarget()] })
  const fromMs = Date.now()
  const { end, log } = witness(url)
  await until(() => Date.now() - fromMs > 3_000)
  await end()
  expect(log).toContain('1 targets, one probe each every 50 ms')
  expect(spooled()).toBe(0)
  const readings = await witnessProbe(store).read({
    guests: [GUEST, vmid(7)],
    fromMs: fromMs + 2_000,
    toMs: fromMs + 8_000,
  })
  const measured = readings.find(({ is }) => is === 'measured')
  expect(measured).toMatchObject({ guest: GUEST, by: 'mad1 tcp', latency: { before: 'unmeasured' } })
  expect(readings.filter(({ guest }) => guest === 7)).toEqual([
    { is: 'unmeasured', guest: 7, reason: 'no witness sent samples of that time' },
  ])
})

test('while the control plane is away samples wait on disk, and none is kept twice or lost', async () => {
  const store = memoryStore()
  const target = await listeningTarget()
  const first = await controlPlane({ store, targets: [target] })
  const port = Number(new URL(first.url).port)
  const one = witness(first.url)
  await until(() => one.log.some((text) => text.includes('1 targets')))
  const sinceMs = Date.now()
  await until(() => Date.now() - sinceMs > 1_500)
  await first.server.close()
  await one.end()
  const waiting = spooled()
  expect(store.all.size).toBe(0)
  const sent: number[] = []
  const counting: SampleStore = {
    ...store,
    // The first answer is lost on its way: what was kept is sent again.
    async put(chunks) {
      const kept = await store.put(chunks)
      sent.push(kept)
      if (sent.length === 1) await again.server.close()
      return kept
    },
  }
  const again = await controlPlane({ store: counting, targets: [target] }, port)
  const two = witness(first.url)
  await until(() => sent.length > 0)
  await controlPlane({ store: counting, targets: [target] }, port)
  await until(() => spooled() === 0)
  await two.end()
  expect(waiting).toBeGreaterThan(0)
  expect(sent.reduce((sum, count) => sum + count, 0)).toBe(store.all.size)
  expect([...store.all.values()].some(({ aheadMs }) => aheadMs === 'unknown')).toBe(true)
})

test('samples and requests for orders by a key that is not known, or changed on the way, are refused', async () => {
  const store = memoryStore()
  const target = await listeningTarget()
  const { url } = await controlPlane({ store, targets: [target], keys: ['0'.repeat(64)] })
  const { log, end } = witness(url)
  await until(() => log.length > 0)
  await end()
  expect(log.join('\n')).toContain('no witness has the key')
  expect(store.all.size).toBe(0)
  const key = openSigningKey(join(folder, 'w', 'witness.pem'))
  const desk = witnessDesk({
    store,
    witnesses: () => ({ w: { publicKey: key.publicKey } }),
    targets: () => [target],
    views: async () => [],
    nowMs: () => Date.now(),
    log: () => {},
  })
  const request = {
    format: 'coulisse/probe-orders-request@1',
    key: key.publicKey,
    atMs: Date.now(),
    signature: '0'.repeat(128),
  }
  expect(await desk.orders(request)).toEqual({ is: 'bad', text: 'the signature is wrong' })
  expect(await desk.orders({ ...request, atMs: 0 })).toMatchObject({
    is: 'bad',
    text: expect.stringContaining('clocks'),
  })
})

test('windows reach from ten minutes before a maintenance to ten minutes after it', () => {
  const minute = 60_000
  const view = (openedAtMs: number, endedAtMs?: number) =>
    ({ openedAtMs, ended: endedAtMs === undefined ? undefined : { atMs: endedAtMs } }) as never
  const nowMs = 1_000 * minute
  expect(
    windowsOf([view(990 * minute), view(900 * minute, 995 * minute), view(1 * minute, 989 * minute)], nowMs),
  ).toEqual([
    { fromMs: 980 * minute, toMs: nowMs + 60 * minute },
    { fromMs: 890 * minute, toMs: 1_005 * minute },
  ])
})

test('a configuration that cannot be meant is refused with its path', () => {
  expect(() => readWitnessConfig(join(folder, 'none.yaml'))).toThrow('cannot be read')
})
