import { expect, test } from 'vitest'
import { BLOCKERS, type Blocker, type BlockerKind, isBlockerKind, withoutLifted } from './blocker.ts'

const kinds = Object.keys(BLOCKERS).filter(isBlockerKind)
const all = kinds.map((kind): Blocker => ({ kind, text: 't', lifts: 'l' }))
const left = (lifted: readonly BlockerKind[]) => withoutLifted(all, lifted).map(({ kind }) => kind)

test('whoever lifts everything lifts what may be lifted, and nothing else', () => {
  expect(left(kinds)).toEqual(kinds.filter((kind) => !BLOCKERS[kind].liftable))
  expect(left([])).toEqual(kinds)
})

test('one that is lifted takes no other with it', () => {
  expect(left(['pause-budget'])).toEqual(kinds.filter((kind) => kind !== 'pause-budget'))
  expect(left(['bmc-identity-unproven'])).toEqual(kinds)
})
