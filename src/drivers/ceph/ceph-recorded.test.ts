import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { CephStory } from '#contracts/recorded/ceph'
import { storageContract } from '#contracts/storage-contract'
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

test('an answer in a form that we do not know is never taken for a fact', async () => {
  const { storage, close } = await recordedCeph({ keys: { 'coulisse/lease/node2': '{"owner":"somebody"}' } })
  await expect(storage.readLease(nodeName('node2'))).rejects.toMatchObject({ retry: 'never' })
  await close()
})
