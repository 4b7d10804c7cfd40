import { expect, test } from 'vitest'
import { asGuarded, fenced } from './fence.ts'

const told: string[] = []
const world = {
  scope: 'host',
  say: async (word: string) => {
    told.push(word)
    return told.length
  },
}

test('a saga that was lost in the middle of an act calls nothing more, and nobody else is held up', async () => {
  const port = fenced(world)
  expect(port.scope).toBe('host')
  let isOurs = true
  const guard = () => (isOurs ? Promise.resolve() : new Promise<void>(() => {}))
  const lost = asGuarded(guard, async () => {
    await port.say('look')
    isOurs = false
    await port.say('act')
  })
  const outcome = await Promise.race([
    lost.then(() => 'acted'),
    new Promise((resolve) => setImmediate(() => resolve('stood'))),
  ])
  expect(outcome).toBe('stood')
  await port.say('a person asks')
  expect(told).toEqual(['look', 'a person asks'])
})
