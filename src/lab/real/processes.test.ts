import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { daemonsIn } from './processes.ts'

const PATIENT = [process.execPath, '-e', 'setInterval(() => {}, 1000)']

async function inFolder(promise: (dir: string) => Promise<void>) {
  const dir = await mkdtemp(join(tmpdir(), 'coulisse-daemons-'))
  await promise(dir)
  await rm(dir, { recursive: true })
}

test('a daemon is found again by a later run, and ended once', () =>
  inFolder(async (dir) => {
    await daemonsIn(dir).start('one', PATIENT)
    expect(await daemonsIn(dir).isUp('one')).toBe(true)
    await daemonsIn(dir).end('one', 'SIGTERM')
    expect(await daemonsIn(dir).isUp('one')).toBe(false)
    await daemonsIn(dir).end('one', 'SIGTERM')
  }))

test('a daemon that several end at once is ended, and none of them fails', () =>
  inFolder(async (dir) => {
    const daemons = daemonsIn(dir)
    await daemons.start('one', PATIENT)
    const ends = Array.from({ length: 20 }, (_, index) => daemons.end('one', index % 2 === 0 ? 'SIGKILL' : 'SIGTERM'))
    await Promise.all(ends)
    expect(await daemons.isUp('one')).toBe(false)
  }))

test('a pid that somebody else has now is never signalled', () =>
  inFolder(async (dir) => {
    const other = await mkdtemp(join(tmpdir(), 'coulisse-daemons-other-'))
    await daemonsIn(other).start('one', PATIENT)
    await daemonsIn(dir).start('mine', PATIENT)
    const stranger = await readFile(join(other, 'pids', 'one.pid'), 'utf8')
    await writeFile(join(dir, 'pids', 'one.pid'), stranger)
    await writeFile(join(dir, 'pids', 'self.pid'), String(process.pid))
    await daemonsIn(dir).endAll()
    expect(await daemonsIn(dir).isUp('mine')).toBe(false)
    expect(await daemonsIn(other).isUp('one')).toBe(true)
    await daemonsIn(other).endAll()
    await rm(other, { recursive: true })
  }))

test('a program that is not there is an error at once', () =>
  inFolder(async (dir) => {
    await expect(daemonsIn(dir).start('none', ['no-such-daemon'])).rejects.toThrow(/start none/)
  }))

const LOOKS = 300

test('a daemon that is just becoming another program is not taken for gone', () =>
  inFolder(async (dir) => {
    const script = join(dir, 'again')
    await writeFile(script, '#!/bin/sh\nexec "$0"\n', { mode: 0o755 })
    const daemons = daemonsIn(dir)
    await daemons.start('restless', [script])
    const seen = new Set<boolean>()
    for (let look = 1; look <= LOOKS; look++) seen.add(await daemons.isUp('restless'))
    await daemons.end('restless', 'SIGKILL')
    expect([...seen]).toEqual([true])
  }))
