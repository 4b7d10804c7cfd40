import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

const MAIN = join(import.meta.dirname, 'main.ts')

test('a sweep that is interrupted says what it has found until then', async () => {
  const args = ['sweep', '--nights', '100000', '--workers', '1', '--json']
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'exit')
  const result = text(child.stdout)
  let said = ''
  let isInterrupted = false
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
    if (isInterrupted || !said.includes(' of 100000 nights')) return
    isInterrupted = child.kill('SIGINT')
  })
  expect((await ended)[0]).toBe(130)
  const { nights, broken, hash } = JSON.parse(await result)
  expect(nights).toBeGreaterThan(0)
  expect(nights).toBeLessThan(100_000)
  expect({ broken, hash }).toEqual({ broken: [], hash: expect.stringMatching(/^[0-9a-f]{64}$/) })
  expect(said).toContain(`interrupted: ${nights} of 100000 nights were played`)
})
