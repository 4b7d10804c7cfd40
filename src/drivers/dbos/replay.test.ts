import { expect, test } from 'vitest'
import { Replays } from './replay.ts'

const record = (functionId: number, error: string | null = null) => ({
  functionId,
  output: `"${functionId}"`,
  error,
  childWorkflowID: null,
  functionName: 'step',
  serialization: null,
})

test('records are handed out once, failed and unknown ones are asked of the database', async () => {
  const asked: string[] = []
  const replays = new Replays()
  const look = replays.over(async (id, functionId) => void asked.push(`${id}#${functionId}`))
  replays.fill('a', [record(0), record(1, 'it broke')])
  expect(await look('a', 0)).toMatchObject({ output: '"0"' })
  for (const functionId of [0, 1, 2]) await look('a', functionId)
  await look('b', 0)
  replays.fill('a', [record(5)])
  replays.forget('a')
  await look('a', 5)
  expect(asked).toEqual(['a#0', 'a#1', 'a#2', 'b#0', 'a#5'])
})
