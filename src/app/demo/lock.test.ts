import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { takeLock } from './lock.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coulisse-lock-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const LOCK = fileURLToPath(new URL('./lock.ts', import.meta.url))

test('a second launcher is refused while the first goes on, and waits for one that is ending', async () => {
  const first = await takeLock(folder)
  await expect(takeLock(folder)).rejects.toThrow(/another demo runs on/)
  first.ending()
  const second = takeLock(folder)
  await first.release()
  await (await second).release()
})

test('a launcher that was killed holds nothing', async () => {
  const code = `import { takeLock } from ${JSON.stringify(LOCK)}
    await takeLock(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const next = takeLock(folder)
  child.kill('SIGKILL')
  const lock = await next
  expect(lock).toBeDefined()
  await lock.release()
})
