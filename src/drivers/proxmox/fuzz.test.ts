import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readerOf } from '#contracts/proxmox-recordings'
import { cluster, MIGRATED, migration } from '#contracts/proxmox-tape'
import type { Recorded, Tape } from '#contracts/replay-proxmox'
import { DriverError } from '#domain/driver-error'
import { nodeName, vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { observeCeph } from './ceph-observe.ts'
import { proxmoxClient } from './client.ts'
import { examineProxmox } from './examine.ts'
import { proxmoxHypervisor } from './hypervisor.ts'
import { parseAnswer } from './schema.ts'
import type { Transport, WireAnswer } from './transport.ts'

const FOLDER = new URL('../../../contracts/recordings/proxmox/', import.meta.url)
const recordings = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .flatMap((file) => {
    const recorded = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))
    const asked =
      recorded.request === undefined
        ? ''
        : `${recorded.request.method} ${recorded.request.path.replace('/api2/json', '')}`
    const reader = readerOf(asked)
    return recorded.status !== 200 || reader === undefined
      ? []
      : [{ file, reader, data: recorded.body.data as unknown }]
  })

/** What a field may turn into: another type, another name, nothing at all, or a number that is none. */
const strange = fc.oneof(
  fc.constantFrom(
    null,
    '',
    '1',
    'unknown',
    -1,
    0,
    1e308,
    true,
    [],
    {},
    'NaN',
    '12abc',
    '0x10',
    ' 5 ',
    '1e999',
    '9'.repeat(400),
  ),
  fc.string(),
  fc.double({ noNaN: true }),
)
type Change = { readonly at: number; readonly how: 'drop' | 'retype' | 'rename' | 'wrap'; readonly to: unknown }
const change = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('drop' as const, 'retype' as const, 'rename' as const, 'wrap' as const),
  to: strange,
})

/** Every place in a value: the thing that holds it, and its key there. */
function placesIn(value: unknown): (readonly [Record<string, unknown>, string])[] {
  if (typeof value !== 'object' || value === null) return []
  const holder = value as Record<string, unknown>
  return Object.keys(holder).flatMap((key) => [[holder, key] as const, ...placesIn(holder[key])])
}

function changed(data: unknown, changes: readonly Change[]): unknown {
  const whole = { data: structuredClone(data) } as Record<string, unknown>
  for (const { at, how, to } of changes) {
    const places = placesIn(whole)
    const [holder, key] = places[at % places.length] ?? [whole, 'data']
    const was = holder[key]
    if (how === 'drop') delete holder[key]
    else if (how === 'retype') holder[key] = to
    else if (how === 'wrap') holder[key] = [was]
    else {
      delete holder[key]
      holder[`${key}x`] = was
    }
  }
  return whole.data
}

/** Nowhere a number that is none. */
function numbersAreReal(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every(numbersAreReal)
}

/** By number, so that a failure is printed short. */
const pick = fc.nat({ max: recordings.length - 1 })
const at = (index: number) => recordings[index] as (typeof recordings)[number]

const answer = (body: string): WireAnswer => ({ is: 'answer', status: 200, reason: 'OK', body })

test('whatever becomes of a recorded answer, it is data without a false number, or no answer', () => {
  fc.assert(
    fc.property(pick, fc.array(change, { minLength: 1, maxLength: 4 }), (index, changes) => {
      const one = at(index)
      const parsed = parseAnswer(answer(JSON.stringify({ data: changed(one.data, changes) })), one.reader)
      if (parsed.is === 'data') expect(numbersAreReal(parsed.data)).toBe(true)
      else expect(parsed).toMatchObject({ is: 'unanswered', retry: 'later' })
    }),
    { numRuns: 3_000 },
  )
}, 30_000)

test('half an answer is no answer', () => {
  fc.assert(
    fc.property(pick, fc.double({ min: 0, max: 0.999, noNaN: true }), (index, part) => {
      const one = at(index)
      const text = JSON.stringify({ data: one.data })
      const parsed = parseAnswer(answer(text.slice(0, Math.floor(text.length * part))), one.reader)
      expect(parsed).toMatchObject({ is: 'unanswered', retry: 'later' })
    }),
    { numRuns: 500 },
  )
})

/** The tape over a transport in memory, one of its answers changed. */
function over(tape: Tape, spoilt: string, spoil: (recorded: Recorded) => WireAnswer): () => Transport {
  const whole = (recorded: Recorded): WireAnswer => ({
    is: 'answer',
    status: recorded.status,
    reason: recorded.reason,
    body: typeof recorded.body === 'string' ? recorded.body : JSON.stringify(recorded.body),
  })
  return () => ({
    async send({ method, path, params }) {
      const key = `${method} ${decodeURIComponent(path)}`
      const query = new URLSearchParams(
        Object.entries(params ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
      ).toString()
      const track = tape[`${key}?${query}`] ?? tape[key]
      const [recorded] = (Array.isArray(track) ? track : [track]) as readonly (Recorded | undefined)[]
      if (recorded === undefined) return { is: 'answer', status: 501, reason: 'not implemented', body: '' }
      return key === spoilt ? spoil(recorded) : whole(recorded)
    },
    close: async () => {},
  })
}

const config = (transport: () => Transport) => ({
  entryPoints: ['pve1', 'pve2'].map((node) => ({
    url: `https://${node}`,
    node,
    tokenId: 'api@pve!full',
    tokenSecret: secret('x'),
    fingerprint256: '00',
  })),
  clock: { nowMs: async () => 1_795_332_811_000, sleepUntil: async () => {} },
  linkBitsPerSecond: 10e9,
  transport,
  pause: async () => {},
})

const tape: Tape = { ...cluster, ...migration }
const gets = Object.keys(tape).filter((key) => key.startsWith('GET ') && !key.includes('?'))

/** A value, or a DriverError; never anything else. */
async function valueOrError(work: Promise<unknown>): Promise<void> {
  const value = await work.catch((error: unknown) => error)
  if (value instanceof Error) expect(value).toBeInstanceOf(DriverError)
  else expect(numbersAreReal(value)).toBe(true)
}

async function everyQuestion(transport: () => Transport): Promise<void> {
  const hypervisor = proxmoxHypervisor(config(transport))
  const client = proxmoxClient(config(transport))
  const pve1 = nodeName('pve1')
  await valueOrError(hypervisor.observe())
  await valueOrError(hypervisor.observe({ avoid: nodeName('pve2') }))
  await valueOrError(hypervisor.hardware(pve1))
  await valueOrError(hypervisor.locate(vmid(100)))
  await valueOrError(hypervisor.runningOn(pve1))
  await valueOrError(hypervisor.nodeOnline(pve1))
  await valueOrError(hypervisor.maintenanceMode(pve1))
  await valueOrError(hypervisor.follow(MIGRATED))
  await valueOrError(hypervisor.findMigration({ guest: vmid(100), from: pve1, sinceMs: 0 }))
  await valueOrError(observeCeph(client, { clock: config(transport).clock, askVia: async () => pve1 }))
  expect(Array.isArray(await examineProxmox({ ...config(transport), cephByApi: false }))).toBe(true)
  await hypervisor.close()
  await client.close()
}

test('one answer that is changed spoils no look with anything but a DriverError', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...gets),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      async (spoilt, changes) => {
        const spoil = ({ body, ...rest }: Recorded): WireAnswer => {
          const data = typeof body === 'string' ? body : (body as { data?: unknown }).data
          return { is: 'answer', ...rest, body: JSON.stringify({ data: changed(data, changes) }) }
        }
        await everyQuestion(over(tape, spoilt, spoil))
      },
    ),
    { numRuns: 50 },
  )
}, 60_000)

const BAD: Readonly<Record<string, WireAnswer>> = {
  html: answer('<html><body>Sign in to the hotel’s network</body></html>'),
  'half a JSON': answer('{"data":[{"type":"no'),
  nothing: answer(''),
  'a list for an envelope': answer('[]'),
  'a 200 with an error inside': answer('{"message":"got timeout\\n","data":null}'),
  'a 200 with errors inside': answer('{"errors":{"node":"no such node"},"data":null}'),
  'too much': { is: 'lost', text: 'the answer is larger than 33554432 bytes' },
  'another certificate': {
    is: 'not-sent',
    pinned: false,
    text: 'the certificate is AA, pinned is BB: nothing was sent',
  },
  silence: { is: 'lost', text: 'no answer within 12000 ms' },
  'a balancer in front': { is: 'answer', status: 502, reason: 'Bad Gateway', body: '<html>' },
}

test.each(Object.entries(BAD))(
  'bad input: %s',
  async (_, bad) => {
    for (const spoilt of gets) {
      const transport = over(tape, spoilt, () => bad)
      const hypervisor = proxmoxHypervisor(config(transport))
      const seen = await hypervisor.observe().catch((error: unknown) => error)
      if (seen instanceof Error) {
        expect(seen).toBeInstanceOf(DriverError)
        expect((seen as DriverError).retry).toBe(bad.is === 'not-sent' ? 'never' : 'later')
      }
      await hypervisor.close()
    }
    await everyQuestion(over(tape, '', () => bad))
  },
  30_000,
)

test('an error inside a 200 is told in its own words', async () => {
  const transport = over(tape, 'GET /cluster/status', () => answer('{"message":"got timeout\\n","data":null}'))
  const hypervisor = proxmoxHypervisor(config(transport))
  await expect(hypervisor.observe()).rejects.toMatchObject({
    message: expect.stringContaining('got timeout'),
    retry: 'later',
  })
})
