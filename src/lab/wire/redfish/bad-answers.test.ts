/** The Redfish driver over answers that went wrong on the way: the lab's own, changed anywhere. */

import { createServer } from 'node:https'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import type { Asker } from '#drivers/redfish/asker'
import { redfishBmc } from '#drivers/redfish/redfish-bmc'
import { signalsOf } from '#drivers/redfish/signals'
import { smallSnapshot } from '#lab/testing/small-world'
import { turnFan } from '#lab/world/bmc'
import { createWorld } from '#lab/world/create'
import { selfSignedCertificate } from '../tls.ts'
import { pathsOf, type RedfishResource, resourceAt } from './resources.ts'
import { VENDORS } from './vendors.ts'

const node = nodeName('pve3')

function chassis() {
  const world = createWorld({ snapshot: smallSnapshot(), seed: 1, startAtMs: Date.UTC(2026, 10, 22, 8) })
  const found = world.nodes[node]
  if (found === undefined) throw new Error('pve3 is gone')
  turnFan(world, found, 'FAN3', true)
  return { world, node: found }
}

const WRONG = fc.constantFrom<unknown>(
  null,
  '',
  'x',
  -1,
  1e300,
  true,
  [],
  {},
  [null],
  { '@odata.id': '' },
  '/redfish/v1/x',
)

/** One value somewhere in it is another, or gone. */
function spoil(value: unknown, at: number, with_: unknown, count = { places: 0 }): unknown {
  if (count.places++ === at) return with_
  if (Array.isArray(value)) return value.map((one) => spoil(one, at, with_, count))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, spoil(one, at, with_, count)]))
}

/** A BMC without a wire: what it answers is spoilt at one place of one answer. */
function spoiltAsker(
  vendor: (typeof VENDORS)[number],
  answerNo: number,
  change: (resource: unknown) => unknown,
): Asker {
  const look = { ...chassis(), vendor, paths: pathsOf(vendor) }
  let answers = 0
  const find = async (_: string, path: string) => {
    const [place = '', query = ''] = path.split('?')
    const asked = new URLSearchParams(query)
    const found = resourceAt(
      { ...look, query: { skip: Number(asked.get('$skip') ?? 0), expand: asked.has('$expand') } },
      place.replace(/(.)\/$/, '$1'),
    )
    if (found === undefined) return undefined
    const resource = (answers++ === answerNo ? change(found) : found) as RedfishResource
    return { resource: typeof resource === 'object' && resource !== null ? resource : {}, etags: [] }
  }
  const get = async (doing: string, path: string) => {
    const got = await find(doing, path)
    if (got === undefined) throw new DriverError('redfish', doing, { retry: 'never', text: `there is no ${path}` })
    return got
  }
  const unused = async (): Promise<never> => {
    throw new Error('a look changes nothing')
  }
  const client = {
    find,
    get,
    post: unused,
    patch: unused,
    delete: unused,
    stream: unused,
    wasRefused: () => false,
    close: async () => undefined,
  }
  return { node, client, system: undefined, known: {} }
}

test('one value that is wrong anywhere is a reading less or a DriverError, never a crash, a NaN or a nameless part', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...VENDORS), fc.nat({ max: 14 }), fc.nat({ max: 150 }), WRONG, async (...args) => {
      const [vendor, answerNo, at, with_] = args
      const asker = spoiltAsker(vendor, answerNo, (resource) => spoil(resource, at, with_))
      const read = await signalsOf(asker, '', 0).catch((error: unknown) => {
        if (!(error instanceof DriverError)) throw error
        return { signals: [], cursor: '' }
      })
      for (const signal of read.signals) {
        expect(Number.isFinite(signal.atMs)).toBe(true)
        if (signal.is === 'part') expect(Number.isNaN(signal.value ?? 0)).toBe(false)
      }
    }),
    { numRuns: 600 },
  )
})

const BODY_LIMIT_BYTES = 16 * 1024 * 1024

test.each([
  ['an answer without end', 200, 'x'.repeat(BODY_LIMIT_BYTES + 1), 'never', 'larger than'],
  ['an empty body', 200, '', 'later', 'no JSON object'],
  ['HTML', 200, '<html></html>', 'later', 'no JSON object'],
  ['200 with an error', 200, '{"error":{"message":"busy"}}', 'later', 'busy'],
  ['503', 503, '', 'later', '503'],
] as const)('%s says whether to try again', async (_, status, body, retry, text) => {
  const { key, cert, fingerprint256 } = selfSignedCertificate('bmc.lab.invalid', Date.now())
  const server = createServer({ key, cert }, (_request, response) => response.writeHead(status).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const nodes = { [node]: { url, user: 'x', password: secret('y'), fingerprint256 } }
  const bmc = redfishBmc({ nodes, clock: { nowMs: async () => 0, sleepUntil: async () => undefined } })
  await expect(bmc.fans(node)).rejects.toMatchObject({ retry, message: expect.stringContaining(text) })
  await bmc.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

test('a wrong password is not sent again and again by the watch: it would lock the account', async () => {
  let asked = 0
  const { key, cert, fingerprint256 } = selfSignedCertificate('bmc.lab.invalid', Date.now())
  const server = createServer({ key, cert }, (_request, response) => {
    asked++
    response.writeHead(401).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  let nowMs = 0
  const nodes = { [node]: { url, user: 'x', password: secret('y'), fingerprint256, signIn: 'basic' as const } }
  const bmc = redfishBmc({ nodes, clock: { nowMs: async () => nowMs, sleepUntil: async () => undefined } })
  for (const minutes of [0, 1, 9]) {
    nowMs = minutes * 60_000
    await expect(bmc.signals(node, '')).rejects.toMatchObject({ retry: 'never' })
  }
  const before = asked
  nowMs = 11 * 60_000
  await expect(bmc.signals(node, '')).rejects.toMatchObject({ retry: 'never' })
  expect([before, asked]).toEqual([1, 2])
  await bmc.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
