import { expect, test } from 'vitest'
import { VirtualClock } from './virtual-clock.ts'

test('sleepers wake in the order of their times, those of one time in the order of falling asleep', async () => {
  const clock = new VirtualClock(100)
  const woken: string[] = []
  for (const [name, atMs] of Object.entries({ late: 300, first: 200, second: 200, never: 900 }))
    void clock.sleepUntil(atMs).then(() => woken.push(name))
  expect(clock.nextWakeAtMs()).toBe(200)
  clock.advanceTo(500)
  await clock.sleepUntil(500)
  expect(woken).toEqual(['first', 'second', 'late'])
  expect(await clock.nowMs()).toBe(500)
  expect(clock.nextWakeAtMs()).toBe(900)
})

test('a wake that was taken back does not happen, and time does not go back', () => {
  const clock = new VirtualClock()
  const takeBack = clock.wakeAt(10, () => expect.unreachable())
  takeBack()
  clock.advanceTo(20)
  clock.advanceTo(5)
  expect(clock.atMs).toBe(20)
  expect(clock.nextWakeAtMs()).toBeUndefined()
})

test('a sleeper that quits is forgotten at once', async () => {
  const clock = new VirtualClock()
  const quit = new AbortController()
  const sleep = clock.sleepUntil(10, quit.signal)
  quit.abort()
  await sleep
  await clock.sleepUntil(20, quit.signal)
  expect(clock.nextWakeAtMs()).toBeUndefined()
})

test('set forward, it wakes whoever slept for less; set back, nobody sleeps for longer; true time goes on by itself', async () => {
  const clock = new VirtualClock(1_000)
  const woken: string[] = []
  for (const [name, atMs] of Object.entries({ soon: 2_000, late: 50_000 }))
    void clock.sleepUntil(atMs).then(() => woken.push(name))
  clock.jump(10_000)
  expect(clock.nextWakeAtMs()).toBe(1_000)
  clock.advanceTo(1_000)
  await Promise.resolve()
  expect(woken).toEqual(['soon'])
  expect([clock.atMs, clock.trueMs]).toEqual([11_000, 1_000])
  const wakesAtMs = clock.nextWakeAtMs()
  clock.jump(-5_000)
  expect(clock.nextWakeAtMs()).toBe(wakesAtMs)
})
