import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { CephStory } from '#contracts/recorded/ceph'
import { storageContract } from '#contracts/storage-contract'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { cephStorage } from './ceph-storage.ts'

const STANDIN = fileURLToPath(new URL('../../../contracts/recorded/ceph.ts', import.meta.url))
const clock = { nowMs: async () => Date.UTC(2026, 10, 22), sleepUntil: async () => undefined }

async function recordedCeph(begin: Partial<CephStory> = {}, deadlineMs = 20_000) {
  const dir = await mkdtemp(join(tmpdir(), 'coulisse-ceph-'))
  const file = join(dir, 'story.json')
  const story: CephStory = { noout: false, keys: {}, down: [], hangsLeft: 0, unsureLeft: 0, ...begin }
  await writeFile(file, JSON.stringify(story))
  const command = [process.execPath, STANDIN, file]
  const storage = cephStorage({ command, clock, deadlineMs, stopOsds: [...command, 'stop-osd', '{osd}'] })
  const read = async () => JSON.parse(await readFile(file, 'utf8')) as CephStory
  return { storage, file, read, close: () => rm(dir, { recursive: true }) }
}

storageContract('by its command line over recordings', async () => {
  const { storage, file, read, close } = await recordedCeph()
  return {
    storage,
    host: nodeName('node2'),
    otherHost: nodeName('node3'),
    mayStopOsds: true,
    mgrStandsBy: false,
    hands: { startOsds: async () => writeFile(file, JSON.stringify({ ...(await read()), down: [] })) },
    close,
  }
})

test('a call that hangs because its monitor was cut off is asked again, at another monitor', async () => {
  const { storage, close } = await recordedCeph({ hangsLeft: 2 }, 1_500)
  expect(await storage.readLease(nodeName('node2'))).toBeUndefined()
  await close()
})

test('a Ceph that has not heard of every PG yet is asked again; its silence is neither yes nor no', async () => {
  const { storage, close } = await recordedCeph({ unsureLeft: 2 })
  expect((await storage.okToStop([2, 3])).ok).toBe(true)
  await close()
})

test('a cluster that never answers is an error for later, not an answer', async () => {
  const { storage, close } = await recordedCeph({ hangsLeft: 99 }, 300)
  await expect(storage.readLease(nodeName('node2'))).rejects.toMatchObject({ retry: 'later' })
  await close()
})

const clockAnd = { clock, deadlineMs: 20_000 }

test('a wrong key, a missing configuration and no ceph at all are for a person, and say which', async () => {
  const saying = (text: string, code: number) =>
    cephStorage({
      ...clockAnd,
      command: [process.execPath, '-e', `console.error(${JSON.stringify(text)}); process.exit(${code})`, '--'],
    })
  const said = [
    ['[errno 13] RADOS permission denied (error connecting to the cluster)', 1],
    ["Error initializing cluster client: ObjectNotFound('RADOS object not found (error calling conf_read_file)')", 1],
    ["coulisse-node: refused: this key has no right 'ceph' in authorized_keys", 77],
  ] as const
  for (const [text, code] of said) {
    await expect(saying(text, code).observe()).rejects.toMatchObject({
      retry: 'never',
      message: expect.stringContaining(text),
    })
  }
  const absent = cephStorage({ ...clockAnd, command: ['no-such-ceph'] })
  await expect(absent.observe()).rejects.toMatchObject({
    retry: 'never',
    message: expect.stringContaining('not installed'),
  })
})

test('an answer without end is cut off, and one that is half is none', async () => {
  const endless = 'const s = "x".repeat(1 << 20); for (;;) require("fs").writeSync(1, s)'
  const printing = (script: string) => cephStorage({ ...clockAnd, command: [process.execPath, '-e', script, '--'] })
  await expect(printing(endless).observe()).rejects.toMatchObject({ retry: 'never' })
  await expect(printing('console.log(\'{"fsid":\')').observe()).rejects.toBeInstanceOf(DriverError)
  await expect(printing('').observe()).rejects.toBeInstanceOf(DriverError)
})

test('an answer in a form that we do not know is never taken for a fact', async () => {
  const { storage, close } = await recordedCeph({ keys: { 'coulisse/lease/node2': '{"owner":"somebody"}' } })
  await expect(storage.readLease(nodeName('node2'))).rejects.toMatchObject({ retry: 'never' })
  await close()
})
