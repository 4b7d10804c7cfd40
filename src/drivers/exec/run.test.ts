import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { Secret } from '#domain/secret'
import { run } from './run.ts'

const node = (script: string, more: { env?: Record<string, string | Secret>; deadlineMs?: number } = {}) =>
  run({
    driver: 'test',
    doing: 'try it',
    command: [process.execPath, '-e', script],
    deadlineMs: 10_000,
    ...more,
  })

test('an exit code is an answer, not an error', async () => {
  const ran = await node('console.log("out"); console.error("err"); process.exit(16)')
  expect(ran).toMatchObject({ code: 16, stdout: 'out\n', stderr: 'err\n' })
})

test('a program that hangs is killed at the deadline, and trying later may help', async () => {
  const error = await node('setInterval(() => {}, 1000)', { deadlineMs: 200 }).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(DriverError)
  expect(error).toMatchObject({ retry: 'later', message: expect.stringContaining('200 ms') })
})

test('a program that is not installed is never tried again', async () => {
  const error = await run({ driver: 'test', doing: 'try it', command: ['no-such-program'], deadlineMs: 1000 }).catch(
    (e: unknown) => e,
  )
  expect(error).toMatchObject({ retry: 'never', message: expect.stringContaining('not installed') })
})

test('endless output ends the program, not our memory', async () => {
  const error = await node('const s = "x".repeat(1 << 20); for (;;) require("fs").writeSync(1, s)').catch(
    (e: unknown) => e,
  )
  expect(error).toMatchObject({ retry: 'never', message: expect.stringContaining('without end') })
})

test('a secret reaches the program by its environment and never an error, and our own environment stays with us', async () => {
  process.env.COULISSE_TEST_TOKEN = 'ours'
  const env = { PASSWORD: new Secret('horse') }
  const ran = await node('console.log(process.env.PASSWORD, process.env.COULISSE_TEST_TOKEN)', { env })
  expect(ran.stdout).toBe('horse undefined\n')
  const error = await node('setInterval(() => {}, 1000)', { env, deadlineMs: 100 }).catch((e: unknown) => e)
  expect(inspect(error, { depth: 9 })).not.toContain('horse')
  delete process.env.COULISSE_TEST_TOKEN
})

test('input is read by the program, and a program that ignores it does no harm', async () => {
  const asked = { driver: 'test', doing: 'try it', deadlineMs: 10_000, input: 'hello'.repeat(100_000) }
  expect((await run({ ...asked, command: [process.execPath, '-e', 'process.exit(3)'] })).code).toBe(3)
  expect((await run({ ...asked, command: ['cat'] })).stdout).toHaveLength(500_000)
})
