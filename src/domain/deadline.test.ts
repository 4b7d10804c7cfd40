import { expect, test } from 'vitest'
import { deadlineAt } from './deadline.ts'

test('a clock that is set back moves the deadline with it, one that goes forward does not', () => {
  const deadline = deadlineAt(60_000, 0)
  expect(deadline.leftMs(20_000)).toBe(40_000)
  expect(deadline.leftMs(-7_180_000)).toBe(40_000)
  expect(deadline.leftMs(-7_150_000)).toBe(10_000)
  expect(deadline.leftMs(0)).toBeLessThan(0)
})
