import { expect, test } from 'vitest'
import { VirtualClock } from '../virtual-clock.ts'
import { simulate } from './simulate.ts'

test('whoever wakes at a moment sees the world of that moment', async () => {
  const clock = new VirtualClock()
  const world = {
    atMs: 0,
    nextEventAtMs: () => (world.atMs < 50 ? 50 : undefined),
    advanceTo: (atMs: number) => {
      world.atMs = atMs
    },
  }
  let seenAtMs: number | undefined
  void clock.sleepUntil(50).then(() => {
    seenAtMs = world.atMs
  })
  await simulate({ clock, world, until: () => seenAtMs !== undefined, limitMs: 100 })
  expect(seenAtMs).toBe(50)
})

test('nothing to wait for is an error, and so are a passed limit and a world that announces and never acts', async () => {
  const until = () => false
  await expect(simulate({ clock: new VirtualClock(7), until, limitMs: 10 })).rejects.toThrow(
    'deadlock at 7 ms: nothing waits and nothing happens',
  )
  const world = { nextEventAtMs: () => 3, advanceTo: () => {} }
  await expect(simulate({ clock: new VirtualClock(5), world, until, limitMs: 10 })).rejects.toThrow('time stands still')
  const clock = new VirtualClock()
  void clock.sleepUntil(11)
  await expect(simulate({ clock, until, limitMs: 10 })).rejects.toThrow('not reached after 10 ms')
})

test('five thousand moments pass in well under a second', async () => {
  const clock = new VirtualClock()
  let count = 0
  const loop = async () => {
    for (;;) {
      await clock.sleepUntil(clock.atMs + 1_000)
      count++
    }
  }
  void loop()
  const beganMs = performance.now()
  await simulate({ clock, until: () => count === 5_000, limitMs: 6_000_000 })
  expect(performance.now() - beganMs).toBeLessThan(500)
})
