/** The list of planted bugs stays true: each can still be planted, and the table in docs tells of each. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ROOT } from '../tidy.ts'
import { faultsOf } from './bug.ts'
import { BUGS, seededSample } from './bugs.ts'

const LEAST = 30
const LEAST_CAUGHT = 27 / 30

const textOf = (path: string) => readFileSync(`${ROOT}${path}`, 'utf8')

test(`at least ${LEAST} bugs can be planted, each in a line that stands once, under a name of its own`, () => {
  expect(BUGS.flatMap((bug) => faultsOf(bug, textOf(bug.file)))).toEqual([])
  expect(new Set(BUGS.map(({ id }) => id)).size).toBe(BUGS.length)
  expect(BUGS.length).toBeGreaterThanOrEqual(LEAST)
})

test('the table tells of each, by whom it was caught, and nine of ten were', () => {
  const rows = textOf('docs/planted-bugs.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  const told = rows.map((row) => /^\| `([a-z0-9-]+)` \|/.exec(row)?.[1])
  expect(told.toSorted()).toEqual(BUGS.map(({ id }) => id).toSorted())
  const caught = rows.filter((row) => !row.includes('**nobody**'))
  expect(caught.length / rows.length).toBeGreaterThanOrEqual(LEAST_CAUGHT)
})

test('a stale entry is a fault: its line is gone, or stands twice', () => {
  const bug = { id: 'a', file: 'f.ts', old: 'look()', now: '', means: '' }
  expect(faultsOf(bug, 'act()\n')).toHaveLength(1)
  expect(faultsOf(bug, '  look()\n  act()\n look()\n')).toHaveLength(1)
  expect(faultsOf(bug, '  look()\n  act()\n')).toEqual([])
})

test('equal seeds draw equal samples', () => {
  const ids = (seed: number) => seededSample(seed, 3).map(({ id }) => id)
  expect(ids(1)).toEqual(ids(1))
  expect(new Set(ids(1)).size).toBe(3)
  expect(ids(1)).not.toEqual(ids(2))
})
