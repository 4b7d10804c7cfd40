/** The queue of what others send us, on a real server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { removeEmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { PostgresInbox } from './inbox.ts'
import { migrate } from './migrate.ts'
import { openPool } from './pool.ts'

const stateDir = mkdtempSync(join(tmpdir(), 'coulisse-inbox-'))
const log = () => {}
let pool: pg.Pool

beforeAll(async () => {
  const { url } = await startEmbeddedPostgres({ stateDir, log })
  pool = openPool({ url, log })
  await migrate(pool)
})

afterAll(async () => {
  await pool?.end()
  await removeEmbeddedPostgres(stateDir)
  rmSync(stateDir, { recursive: true, force: true })
})

const inbox = (topic: string, limit = 100) => new PostgresInbox<string>({ pool, topic, limit })
const messages = (...keys: string[]) => keys.map((key) => ({ key, message: `of ${key}` }))

test('in order of arrival, the same key once while it waits, and again when it was read', async () => {
  const box = inbox('a')
  expect(await box.put(messages('k1', 'k2'))).toBe('kept')
  expect(await box.put(messages('k2', 'k3'))).toBe('kept')
  const rows = await box.waiting(10)
  expect(rows.map(({ message }) => message)).toEqual(['of k1', 'of k2', 'of k3'])
  await box.remove(rows.map(({ id }) => id))
  expect(await box.waiting(10)).toEqual([])
  await box.put(messages('k1'))
  expect(await box.waiting(10)).toHaveLength(1)
})

test('full is said before anything is stored, and topics do not mix', async () => {
  const box = inbox('b', 3)
  expect(await box.put(messages('k1', 'k2'))).toBe('kept')
  expect(await box.put(messages('k3', 'k4'))).toBe('full')
  expect(await box.waiting(10)).toHaveLength(2)
  expect(await inbox('c', 3).put(messages('k1', 'k2', 'k3'))).toBe('kept')
})

test('many senders at once lose nothing', async () => {
  const box = inbox('d', 1000)
  await Promise.all(Array.from({ length: 20 }, (_, index) => box.put(messages(`k${index}`, `k${index + 1}`))))
  expect(new Set((await box.waiting(1000)).map(({ message }) => message)).size).toBe(21)
})

test('a database that is away is a DriverError', async () => {
  const gone = openPool({ url: 'postgresql://nobody@127.0.0.1:1/none', log })
  const error = await new PostgresInbox({ pool: gone, topic: 'a', limit: 1 }).put(messages('k')).catch((one) => one)
  await gone.end()
  expect(error).toBeInstanceOf(DriverError)
  expect(error.retry).toBe('later')
})
