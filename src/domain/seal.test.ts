import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event } from './event.ts'
import { maintenanceId } from './ids.ts'
import type { Sha256 } from './merkle.ts'
import { assemble, disclose, joinStored, newSeal, openTree, type Part, partStored, sealedHash } from './seal.ts'

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')

const counter = () => {
  let count = 0
  return () => (++count).toString(16).padStart(32, '0')
}

/** Whatever an event could hold, keys and letters included. */
const anyEvent = fc
  .dictionary(
    fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('name', 'text', '#1', '~2', 'a/b', '0', 'customer')),
    fc.jsonValue({ maxDepth: 4 }),
    { maxKeys: 6 },
  )
  .map((rest) => JSON.parse(JSON.stringify({ ...rest, kind: 'said' })) as Event)
const rowOf = (event: Event) => ({
  maintenance: maintenanceId('m'),
  seq: 1,
  key: 'k',
  atMs: 7,
  event,
  prevHash: '0'.repeat(64),
  seal: newSeal(event, counter()),
})
const normal = (event: Event) => JSON.parse(JSON.stringify(event))

test('what is stored and read back is the same event with the same hash', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const row = rowOf(event)
      const { event: stored, texts } = partStored(event, row.seal, sha256)
      const back = joinStored(normal(stored as Event), {
        seed: row.seal.seed,
        texts: JSON.parse(JSON.stringify(texts)),
      })
      expect(back.event).toEqual(event)
      expect(sealedHash({ ...row, ...back }, sha256)).toBe(sealedHash(row, sha256))
    }),
  )
})

test('with any of its texts erased a row has the same hash, and the texts are nowhere', () => {
  fc.assert(
    fc.property(anyEvent, fc.func(fc.boolean()), (event, goes) => {
      const row = rowOf(event)
      const { event: stored, texts } = partStored(event, row.seal, sha256)
      const kept = Object.fromEntries(Object.entries(texts).filter(([at]) => !goes(at)))
      const back = joinStored(stored, { seed: row.seal.seed, texts: kept })
      expect(sealedHash({ ...row, ...back }, sha256)).toBe(sealedHash(row, sha256))
      expect(Object.keys(back.seal.salts)).toEqual(Object.keys(kept))
    }),
  )
})

test('whatever parts are shown, the hash is the row’s, and all parts together are the row', () => {
  fc.assert(
    fc.property(anyEvent, fc.func(fc.boolean()), (event, shows) => {
      const row = rowOf(event)
      const { hash, parts } = openTree(
        disclose(row, ({ at }) => shows(at), sha256),
        sha256,
      )
      expect(hash).toBe(sealedHash(row, sha256))
      expect(parts.every(({ at }) => shows(at))).toBe(true)
      const { seal: _, ...content } = row
      expect(
        assemble(
          openTree(
            disclose(row, () => true, sha256),
            sha256,
          ).parts,
        ),
      ).toEqual(normal(content as never))
    }),
  )
})

test('a key that looks like the mark of a list is a key', () => {
  const event = { kind: 'said', text: 'x', '#': { '#0': null, '~2': 1 } } as unknown as Event
  const row = rowOf(event)
  const { parts } = openTree(
    disclose(row, () => true, sha256),
    sha256,
  )
  expect(assemble(parts)).toMatchObject({ event })
})

test('a part that was changed in any way changes the hash', () => {
  const event: Event = { kind: 'gate-opened', stage: 'drain', waitedMs: 48 }
  const row = rowOf(event)
  const [part] = openTree(
    disclose(row, ({ at }) => at === '/event/waitedMs', sha256),
    sha256,
  ).parts as [Part]
  const tree = disclose(row, ({ at }) => at === part.at, sha256)
  const changed = (change: Partial<Part>) =>
    openTree(
      JSON.parse(JSON.stringify(tree).replace(JSON.stringify(part), JSON.stringify({ ...part, ...change }))),
      sha256,
    )
  expect(changed({}).hash).toBe(sealedHash(row, sha256))
  for (const change of [{ value: 47 }, { value: '48' }, { at: '/event/other' }, { salt: `0${part.salt.slice(1)}x` }])
    expect(changed(change).hash).not.toBe(sealedHash(row, sha256))
})

test('items of a list that are not shown leave no trace of their content', () => {
  const names = ['acorn-web', 'birch-shop', 'cedar-mail']
  const origins = names.map((name, index) => ({ vmid: 100 + index, name, kind: 'vm', node: 'pve3', status: 'running' }))
  const row = rowOf({ kind: 'origins-recorded', origins } as unknown as Event)
  const tree = disclose(row, ({ at }) => at === '/event/kind' || at.startsWith('/event/origins/#1/'), sha256)
  expect(assemble(openTree(tree, sha256).parts)).toEqual({ event: { kind: 'origins-recorded', origins: [origins[1]] } })
  expect(JSON.stringify(tree)).not.toMatch(/acorn|cedar/)
})
