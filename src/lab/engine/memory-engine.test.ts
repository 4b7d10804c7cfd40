/** What the engine in memory can besides the contract: every step twice, faults in acts, fenced ports. */
import { expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import type { Saga, SagaFunction } from '#ports/saga'
import { VirtualClock } from '../virtual-clock.ts'
import { MemoryEngine, type MemoryEngineOptions, SimulatedCrash } from './memory-engine.ts'
import { simulate } from './simulate.ts'

async function play(define: (saga: Saga) => Promise<string>, options: Partial<MemoryEngineOptions> = {}) {
  const clock = new VirtualClock()
  const engine = new MemoryEngine({ clock, definitions: { tale: define as SagaFunction }, ...options })
  await engine.start('tale', 'tale-1', null, { exclusive: [] })
  await simulate({ clock, until: () => engine.hasEnded('tale-1'), limitMs: 3_600_000 })
  return { engine, status: await engine.status('tale-1') }
}

test('every step twice: each act runs twice, with the same key, and the second answer counts', async () => {
  const keys: string[] = []
  const tale = (saga: Saga) => saga.step('act', async (key) => `answer ${keys.push(key)}`)
  const { status } = await play(tale, { everyStepTwice: true })
  expect(keys).toEqual(['tale-1#0', 'tale-1#0'])
  expect(status).toEqual({ is: 'ended', result: 'answer 2' })
})

test('a fault around an act is an error of that step', async () => {
  const tale = (saga: Saga) => saga.step('act', async () => 'done').catch((error: Error) => error.message)
  const { status } = await play(tale, {
    aroundAct: async ({ saga, step }) => {
      throw new DriverError('test', `${saga} ${step}`, { retry: 'never', text: 'broken' })
    },
  })
  expect(status).toEqual({ is: 'ended', result: 'test: tale-1 act: broken' })
})

test('a crash in the middle of an act stops it there: a fenced port hears nothing more from a dead run', async () => {
  const calls: string[] = []
  const world = {
    say: async (word: string) => {
      calls.push(word)
    },
  }
  const places: string[] = []
  let fenced = world
  const clock = new VirtualClock()
  const engine = new MemoryEngine({
    clock,
    restartAfterMs: 1_000,
    onBoundary: (_n, where) => {
      places.push(where)
      if (where === 'after world.say' && calls.length === 1) throw new SimulatedCrash(where)
    },
    definitions: {
      tale: (saga) =>
        saga.step('act', async () => {
          await fenced.say('intent')
          await fenced.say('act')
        }) as Promise<never>,
    },
  })
  fenced = engine.fence('world', world)
  await engine.start('tale', 'tale-1', null, { exclusive: [] })
  await simulate({ clock, until: () => engine.hasEnded('tale-1'), limitMs: 3_600_000 })
  expect(calls).toEqual(['intent', 'intent', 'act'])
  expect(places).toContain('before world.say')
})

test('a saga of two thousand steps takes well under a second', async () => {
  const beganMs = performance.now()
  await play(async (saga) => {
    for (let n = 0; n < 1_000; n++) {
      await saga.step(`step ${n}`, async () => ({ n }))
      await saga.sleepUntil(n * 1_000)
    }
    return 'done'
  })
  expect(performance.now() - beganMs).toBeLessThan(500)
})

test('taking back goes from the newest to the oldest, and goes on after one that fails', async () => {
  const undone: string[] = []
  const tale = async (saga: Saga) => {
    for (const name of ['first', 'second', 'third']) {
      const undo = async () => {
        undone.push(name)
        if (name === 'second') throw new Error('the door is shut')
      }
      await saga.step(name, async () => null, { undo })
    }
    return JSON.stringify(await saga.takeBack())
  }
  const { status } = await play(tale)
  expect(undone).toEqual(['third', 'second', 'first'])
  expect(status).toEqual({ is: 'ended', result: '[{"name":"second","text":"the door is shut"}]' })
})

test('a process that dies again while it is being started is started once, and then left alone', async () => {
  const clock = new VirtualClock()
  let runs = 0
  const tale: SagaFunction = async (saga) => {
    runs++
    await saga.sleepUntil(60_000)
    return 'ended'
  }
  const engine = new MemoryEngine({ clock, restartAfterMs: 5_000, definitions: { tale } })
  await engine.start('tale', 'tale-1', null, { exclusive: [] })
  clock.wakeAt(1_000, () => engine.crash())
  clock.wakeAt(4_000, () => engine.crash())
  await simulate({ clock, until: () => engine.hasEnded('tale-1'), limitMs: 3_600_000 })
  expect(runs).toBe(2)
})
