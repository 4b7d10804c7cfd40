/** Bad input: whatever stands where `ceph` used to print, a value or a DriverError comes out, and no number that is none. */
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { LOOK, readLeaseText, readLook, readOkToStop } from './read.ts'

const FOLDER = new URL('../../../contracts/recordings/ceph/', import.meta.url)
const recording = (name: string) => readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')
const all = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => recording(name.replace(/\.json$/, '')))

const GOOD = ['status.ok', 'osd_dump.ok', 'osd_tree.ok', 'crush_rule', 'quorum_status', 'mgr_stat', 'node_ls'].map(
  recording,
)
const LEASE = '{"expiresAtMs":2,"flagsBefore":[],"host":"pve3","owner":"us","reason":"fan","setAtMs":1}'

type Json = unknown
const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Something of it replaced or taken out, at a place that `path` chooses. */
function spoil(value: Json, path: readonly number[], by: Json): Json {
  const [at = 0, ...rest] = path
  if (Array.isArray(value) && value.length > 0 && rest.length > 0) {
    return value.map((one, index) => (index === at % value.length ? spoil(one, rest, by) : one))
  }
  const keys = isObject(value) ? Object.keys(value) : []
  if (!isObject(value) || keys.length === 0 || rest.length === 0) return by
  const key = keys[at % keys.length] ?? ''
  const spoilt = spoil(value[key], rest, by)
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) =>
      name !== key ? [[name, one]] : spoilt === undefined ? [] : [[name, spoilt]],
    ),
  )
}

const path = fc.array(fc.nat(60), { minLength: 1, maxLength: 7 })
const anything = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(undefined, null, -1, 1e300, 1.5, '', '__proto__', [], {}, 'NaN'),
)

/** What comes out of a broken machine, a proxy, a full disk or a cut cable. */
const spoiltText = (text: string) =>
  fc.oneof(
    fc.constantFrom('', '\n', 'null', '<html><body>502 Bad Gateway</body></html>', '{"error":"x"}', '[]', '0', '\0'),
    fc.nat(text.length).map((length) => text.slice(0, length)),
    fc.string(),
    fc.constantFrom(...all),
    fc.tuple(path, anything).map(([where, by]) => JSON.stringify(spoil(JSON.parse(text), where, by)) ?? ''),
  )

function holdsNumbersOnly(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every(holdsNumbersOnly)
}

/** The value, or undefined for a DriverError; any other exception goes up. */
function heard<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof DriverError && error.retry !== 'now') return undefined
    throw error
  }
}

describe('what ceph prints is a value or a DriverError', () => {
  test('of one look, with any one of its answers spoilt', () => {
    const spoilt = fc.nat(LOOK.length - 1).chain((at) => spoiltText(GOOD[at] ?? '').map((text) => ({ at, text })))
    fc.assert(
      fc.property(spoilt, ({ at, text }) => {
        const seen = heard(() =>
          readLook(
            GOOD.map((good, index) => (index === at ? text : good)),
            1,
          ),
        )
        if (seen === undefined) return
        expect(holdsNumbersOnly(seen)).toBe(true)
        const { total, clean, degraded } = seen.placementGroups
        expect(Math.min(clean, degraded)).toBeGreaterThanOrEqual(0)
        expect(Math.max(clean, degraded)).toBeLessThanOrEqual(total)
      }),
      { numRuns: 1_000 },
    )
  })

  test('of ok-to-stop: yes only for the OSDs that were asked, with exit 0 and the word', () => {
    const texts = fc
      .constantFrom('oktostop.yes', 'oktostop.no', 'oktostop.no_degraded')
      .chain((name) => spoiltText(recording(name)))
    const codes = fc.constantFrom(0, 1, 2, 11, 16, 255)
    fc.assert(
      fc.property(texts, codes, (stdout, code) => {
        const answer = heard(() => readOkToStop('ask', [2, 3], { code, stdout, stderr: '', tookMs: 1 }))
        if (answer?.ok !== true) return
        const told = JSON.parse(stdout) as { ok_to_stop: unknown; osds: unknown }
        expect([code, told.ok_to_stop]).toEqual([0, true])
        expect(told.osds).toEqual(expect.arrayContaining([2, 3]))
      }),
      { numRuns: 500 },
    )
  })

  test('of a lease: whole, or not at all', () => {
    fc.assert(
      fc.property(spoiltText(LEASE), (text) => {
        const lease = heard(() => readLeaseText('read', text))
        if (lease !== undefined) expect(holdsNumbersOnly(lease)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('nothing is spoilt, nothing is refused', () => {
    expect(readLook(GOOD, 1).placementGroups.total).toBe(64)
    expect(readLeaseText('read', LEASE).owner).toBe('us')
  })
})

test('ok-to-stop is a yes only for all the OSDs that were asked for', () => {
  const stdout = recording('oktostop.yes')
  const ask = (...osds: readonly number[]) => readOkToStop('ask', osds, { code: 0, stdout, stderr: '', tookMs: 1 })
  expect(ask(2, 3).ok).toBe(true)
  expect(ask(2, 3, 4)).toEqual({ ok: false, text: 'Ceph answered for other OSDs than we asked' })
  expect(ask(7).ok).toBe(false)
})
