import { expect, test } from 'vitest'
import * as commands from './commands.ts'
import { createWorld } from './create.ts'
import * as queries from './queries.ts'
import type { CreateWorld, WorldCommands, WorldQueries } from './surface.ts'

test('the world can be used as its surface says', () => {
  const all: [CreateWorld, WorldCommands, WorldQueries] = [createWorld, commands, queries]
  expect(all).toHaveLength(3)
})
