import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergePlaces, type PlaceWords } from './place.ts'

test('the first that says a thing is believed, and the rest fills what he left out', () => {
  const { words, contradictions } = mergePlaces([
    { from: 'the configuration', words: { rack: 'c', serial: 'S1' } },
    { from: 'the machine', words: { serial: 's1', assetTag: 'A-1' } },
    { from: 'NetBox', words: { site: 'mad1', rack: 'C', unit: '07', serial: 'S1' } },
  ])
  expect(words).toEqual({ site: 'mad1', rack: 'c', unit: '07', serial: 'S1', assetTag: 'A-1' })
  expect(contradictions).toEqual([])
})

test('what hands go by and is said in two ways is named, with who said it', () => {
  const { words, contradictions } = mergePlaces([
    { from: 'the configuration', words: { rack: 'c', unit: '7', site: 'Madrid' } },
    { from: 'NetBox', words: { rack: 'd', unit: '07', site: 'MAD1' } },
  ])
  expect(words.rack).toBe('c')
  expect(contradictions).toEqual(['rack: c by the configuration, d by NetBox'])
})

test('nothing is invented: every word comes from somebody, and nobody contradicts himself', () => {
  const words = fc.record(
    { site: fc.string(), rack: fc.string(), unit: fc.string(), serial: fc.string() },
    { requiredKeys: [] },
  ) as fc.Arbitrary<PlaceWords>
  fc.assert(
    fc.property(fc.array(words, { maxLength: 4 }), (all) => {
      const told = all.map((one, index) => ({ from: String(index), words: one }))
      const merged = mergePlaces(told).words
      for (const [key, value] of Object.entries(merged)) {
        expect(all.some((one) => one[key as keyof PlaceWords] === value)).toBe(true)
      }
      for (const one of told) expect(mergePlaces([one, one]).contradictions).toEqual([])
    }),
  )
})
