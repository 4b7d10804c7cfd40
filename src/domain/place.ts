/** Where a node stands, said by several: who is believed, and where they contradict each other. Pure. */
import type { Place } from './maintenance.ts'

/** What one of them says; what it does not know is not there. */
export type PlaceWords = Partial<Place>

export type Told = { readonly from: string; readonly words: PlaceWords }

const KEYS = ['site', 'room', 'rack', 'unit', 'serial', 'assetTag'] as const

/** Names of sites and rooms are written in many ways; these are printed on steel. */
const COMPARED = ['rack', 'unit', 'serial', 'assetTag'] as const

/** The first that says a thing is believed; whoever says otherwise of what hands go by is named. */
export function mergePlaces(all: readonly Told[]): {
  readonly words: PlaceWords
  readonly contradictions: readonly string[]
} {
  const words: { -readonly [Key in keyof PlaceWords]: PlaceWords[Key] } = {}
  for (const key of KEYS) {
    const said = all.map((one) => one.words[key]).find((value) => value !== undefined)
    if (said !== undefined) words[key] = said
  }
  const contradictions = COMPARED.flatMap((key) => contradictionsOf(key, all))
  return { words, contradictions }
}

function contradictionsOf(key: (typeof COMPARED)[number], all: readonly Told[]): readonly string[] {
  const says = all.flatMap(({ from, words }) => {
    const value = words[key]
    return value === undefined ? [] : [{ from, value }]
  })
  const [first, ...others] = says
  if (first === undefined) return []
  return others
    .filter(({ value }) => plain(value) !== plain(first.value))
    .map(({ from, value }) => `${key}: ${first.value} by ${first.from}, ${value} by ${from}`)
}

/** '07' and '7' are one unit, 'a' and 'A' one rack. */
const plain = (value: string) =>
  value
    .trim()
    .toLowerCase()
    .replace(/^0+(?=\d)/, '')
