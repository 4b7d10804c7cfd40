import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { type Bench, bench, TOKEN } from '#contracts/proxmox-bench'
import { composed, recording, type Tape } from '#contracts/replay-proxmox'
import { DriverError } from '#domain/driver-error'
import { type ProxmoxClient, proxmoxClient } from './client.ts'
import { nothing } from './schema.ts'
import type { EntryPoint, WireAnswer } from './transport.ts'

let open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()))
  open = []
})

async function at(tape: Tape, nodes = ['pve1', 'pve2', 'pve3']): Promise<Bench> {
  const made = await bench(nodes, tape)
  open.push(made)
  return made
}

const doing = 'try it'
const failureOf = async (work: Promise<unknown>): Promise<DriverError> => {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(DriverError)
  return error as DriverError
}

test('a wrong certificate gets nothing: no request, no token', async () => {
  const { replay } = await at({ 'GET /version': recording('version') }, ['pve1'])
  const [entry] = replay.entries
  if (entry === undefined) throw new Error('no entry')
  const point: EntryPoint = { ...entry, tokenId: 'a@pve!b', tokenSecret: { reveal: () => 'never' } as never }
  const client = proxmoxClient({
    entryPoints: [{ ...point, fingerprint256: entry.fingerprint256.replace(/^../, '00') }],
  })
  open.push(client)
  const error = await failureOf(client.get(z.unknown(), { doing, path: '/version' }))
  expect(error.retry).toBe('never')
  expect(error.message).toContain('pinned')
  expect(replay.asked).toEqual([])
})

test('the token goes to the node and nowhere else', async () => {
  const { replay, client } = await at({ 'GET /version': recording('err-401-badtoken') }, ['pve1'])
  const error = await failureOf(client.get(z.unknown(), { doing, path: '/version' }))
  expect(replay.asked[0]?.authorization).toBe(`PVEAPIToken=api@pve!full=${TOKEN}`)
  expect(error.retry).toBe('never')
  expect(error.message).toContain('401 Authentication failed!')
  expect(`${inspect(error, { depth: 9 })}${inspect(client)}${JSON.stringify(replay.entries)}`).not.toContain(TOKEN)
})

test('each recorded refusal says whether trying again helps', async () => {
  const expected: Readonly<Record<string, 'now' | 'later' | 'never'>> = {
    'err-401-noauth': 'never',
    'err-403-none-status': 'never',
    'err-403-ro-start': 'never',
    'err-400-migrate': 'never',
    'err-404-path': 'never',
    'err-501-method': 'never',
    'err-get-missing-vm': 'never',
    'err-nonode': 'never',
    'err-target-unknown': 'never',
    'err-migrate-running-no-online': 'never',
    'err-migrate-while-locked': 'later',
    'ceph-status-before-init': 'later',
  }
  const { client, replay } = await at({}, ['pve1'])
  for (const [name, retry] of Object.entries(expected)) {
    replay.play({ 'GET /x': recording(name) })
    const error = await failureOf(client.get(z.unknown(), { doing, path: '/x' }))
    expect({ name, retry: error.retry }).toEqual({ name, retry })
    expect(error.message).toContain(String(recording(name).status))
  }
  for (const text of ['cluster not ready - no quorum?', "cfs-lock 'file-datacenter_cfg' error: no quorum!"]) {
    replay.play({ 'GET /x': { status: 500, reason: text, body: { message: `${text}\n`, data: null } } })
    expect((await failureOf(client.get(z.unknown(), { doing, path: '/x' }))).retry).toBe('later')
  }
  const parameter = await failureOf(client.get(z.unknown(), { doing, path: '/y' }))
  expect(parameter.message).toContain('501')
})

test('a 400 names the parameter that was wrong', async () => {
  const { client } = await at({ 'POST /x': recording('err-400-migrate') }, ['pve1'])
  const error = await failureOf(client.write('POST', nothing, { doing, path: '/x' }))
  expect(error.message).toContain('"target":"property is missing and it is not optional"')
})

test('a read that meets 595 goes on at another entry point, and stays there', async () => {
  const { client, replay } = await at({
    'GET /x': [recording('err-proxy-dead-node-1'), composed('here')],
    'GET /z': composed('there'),
  })
  expect(await client.get(z.string(), { doing, path: '/x' })).toBe('here')
  expect(await client.get(z.string(), { doing, path: '/z' })).toBe('there')
  expect(replay.asked.map((asked) => asked.entry)).toEqual(['pve1', 'pve2', 'pve2'])
})

test('a node that has just started and knows no tokens is passed over; where nobody knows ours, that is told', async () => {
  const { client, replay } = await at({
    'GET /x': [recording('err-401-badtoken'), composed('here')],
    'POST /x': [recording('err-401-badtoken'), composed('done')],
    'GET /y': recording('err-401-badtoken'),
  })
  expect(await client.get(z.string(), { doing, path: '/x' })).toBe('here')
  expect(await client.write('POST', z.string(), { doing, path: '/x' })).toBe('done')
  expect(replay.asked).toHaveLength(4)
  expect((await failureOf(client.get(z.string(), { doing, path: '/y' }))).retry).toBe('never')
})

test('a read that nobody answers ends as later, after a limited number of tries', async () => {
  const { client, replay } = await at({ 'GET /x': recording('err-proxy-dead-node-2') }, ['pve1', 'pve2'])
  const error = await failureOf(client.get(z.unknown(), { doing, path: '/x' }))
  expect(error.retry).toBe('later')
  expect(error.message).toContain('595 No route to host')
  expect(replay.asked).toHaveLength(3)
})

test('a write is sent once, whatever becomes of its answer', async () => {
  const { client, replay } = await at({
    'POST /x': recording('err-proxy-dead-node-1'),
    'PUT /x': { status: 200, reason: 'OK', body: '<html>' },
    'DELETE /x': { status: 596, reason: 'Connection timed out', body: '' },
  })
  for (const method of ['POST', 'PUT', 'DELETE'] as const) {
    const error = await failureOf(client.write(method, z.string(), { doing, path: '/x' }))
    expect(error.retry).toBe('later')
    expect(error.message).toContain('may have been carried out')
  }
  expect(replay.asked.map((asked) => asked.method)).toEqual(['POST', 'PUT', 'DELETE'])
})

test('a write goes elsewhere only where nothing was sent', async () => {
  const made = await bench(['pve1'], {})
  const dead = made.replay.entries[0]
  await made.close()
  const living = await at({ 'POST /x': composed('done') }, ['pve2'])
  const entryPoints = [dead, living.replay.entries[0]].flatMap((entry) =>
    entry === undefined ? [] : [{ ...entry, tokenId: 'a@pve!b', tokenSecret: { reveal: () => 'x' } as never }],
  )
  const client = proxmoxClient({ entryPoints })
  open.push(client)
  expect(await client.write('POST', z.string(), { doing, path: '/x' })).toBe('done')
  expect(living.replay.asked).toHaveLength(1)
})

test('the avoided node is not asked, and without another entry point nothing is', async () => {
  const { client, replay } = await at({ 'GET /x': composed(1) })
  for (let times = 0; times < 4; times++) await client.get(z.number(), { doing, path: '/x', avoid: 'pve1' })
  expect(replay.asked.map((asked) => asked.entry)).not.toContain('pve1')
  const alone = await at({ 'GET /x': composed(1) }, ['pve3'])
  const error = await failureOf(alone.client.get(z.number(), { doing, path: '/x', avoid: 'pve3' }))
  expect(error.retry).toBe('never')
  expect(alone.replay.asked).toEqual([])
})

test('an entry point whose node the configuration does not name is asked which it is, once', async () => {
  const { replay } = await at({ 'GET /x': composed(1), 'GET /cluster/status': recording('cluster-status') }, ['pve1'])
  const client = proxmoxClient({
    entryPoints: replay.entries.map(({ node: _, ...entry }) => ({
      ...entry,
      tokenId: 'a@pve!b',
      tokenSecret: { reveal: () => 'x' } as never,
    })),
  })
  open.push(client)
  expect(await client.get(z.number(), { doing, path: '/x', avoid: 'pve2' })).toBe(1)
  expect((await failureOf(client.get(z.number(), { doing, path: '/x', avoid: 'pve1' }))).retry).toBe('never')
  expect(replay.asked.filter((asked) => asked.path === '/cluster/status')).toHaveLength(1)
})

/** Over a transport in memory: what the wire may bring is drawn, not served. */
function clientOver(answer: (path: string) => WireAnswer | Promise<WireAnswer>): ProxmoxClient {
  const point = { url: 'https://x', tokenId: 'x', tokenSecret: { reveal: () => 'x' } as never, fingerprint256: '' }
  return proxmoxClient({
    entryPoints: [point],
    transport: () => ({ send: async ({ path }) => answer(path), close: async () => {} }),
  })
}

test('at most two calls are under way at once', async () => {
  let now = 0
  let most = 0
  const client = clientOver(async () => {
    most = Math.max(most, ++now)
    await new Promise((resolve) => setImmediate(resolve))
    now--
    return { is: 'answer', status: 200, reason: 'OK', body: '{"data":1}' }
  })
  await Promise.all(Array.from({ length: 20 }, () => client.get(z.number(), { doing, path: '/x' })))
  expect(most).toBe(2)
})

test('whatever comes back, it is data, a refusal or a DriverError', async () => {
  const garbage = fc.oneof(
    fc.string(),
    fc.constant('<html><body>502 Bad Gateway</body></html>'),
    fc.constant(''),
    fc.json(),
    fc.json().map((text) => text.slice(0, text.length / 2)),
    fc.json().map((text) => `{"data":${text}}`),
    fc.constant('['.repeat(200_000)),
  )
  const schema = z.array(z.looseObject({ type: z.string() }))
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 100, max: 600 }), fc.string(), garbage, async (status, reason, body) => {
      const client = clientOver(() => ({ is: 'answer', status, reason, body }))
      const error = await client.write('PUT', schema, { doing, path: '/x' }).catch((caught: unknown) => caught)
      if (!Array.isArray(error)) expect(error).toBeInstanceOf(DriverError)
      if (error instanceof Error) expect(error.message.length).toBeLessThan(1_000)
    }),
    { numRuns: 300 },
  )
})

test('an answer without end is cut off, and is an error', async () => {
  const { client } = await at({ 'POST /x': { status: 200, reason: 'OK', body: 'x'.repeat(33 * 1024 * 1024) } }, [
    'pve1',
  ])
  const error = await failureOf(client.write('POST', z.string(), { doing, path: '/x' }))
  expect(error.message).toContain('larger than')
})

test('silence has a limit', async () => {
  const { replay } = await at({}, ['pve1'])
  const client = proxmoxClient({
    entryPoints: replay.entries.map((entry) => ({
      ...entry,
      tokenId: 'x',
      tokenSecret: { reveal: () => 'x' } as never,
    })),
    writeDeadlineMs: 50,
  })
  open.push(client)
  replay.play({ 'POST /silent': { status: 0, reason: '', body: '' } })
  const error = await failureOf(client.write('POST', z.string(), { doing, path: '/silent' }))
  expect(error.message).toContain('no answer within 50 ms')
})
