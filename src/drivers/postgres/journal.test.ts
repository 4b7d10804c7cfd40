/** Journal, documents, and migrations, on a real server. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { journalContract } from '#contracts/journal-contract'
import type { JournalRow } from '#domain/event'
import { customerId, maintenanceId, nodeName, vmid } from '#domain/ids'
import { CHAIN_START, chainProblems, hashOfRow } from '#domain/journal-chain'
import type { Sha256 } from '#domain/merkle'
import { LOST, SAMPLES_FORMAT, type SampleChunk, UNSENT } from '#domain/probing'
import { HEAD_FORMAT, KEY_FORMAT, type SignedHead } from '#domain/tree-head'
import type { Clock } from '#ports/clock'
import { PostgresDocuments } from './documents.ts'
import { removeEmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { PostgresJournal } from './journal.ts'
import { checkedInMigrations, migrate } from './migrate.ts'
import { openPool } from './pool.ts'
import { PostgresSamples } from './samples.ts'
import { PostgresTreeHeads } from './tree-heads.ts'

const stateDir = mkdtempSync(join(tmpdir(), 'coulisse-engine-'))
const log = () => {}
const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
const clock: Clock = { nowMs: async () => 1_900_000_000_123, sleepUntil: async () => {} }
let pool: pg.Pool

beforeAll(async () => {
  const { url } = await startEmbeddedPostgres({ stateDir, log })
  pool = openPool({ url, log })
  expect(await migrate(pool)).toEqual({ from: 0, to: checkedInMigrations().length })
})

afterAll(async () => {
  await pool?.end()
  await removeEmbeddedPostgres(stateDir)
  rmSync(stateDir, { recursive: true, force: true })
})

journalContract('in PostgreSQL', async (contractClock) => ({
  journal: new PostgresJournal({ pool, clock: contractClock }),
  close: async () => {},
}))

test('nobody changes or removes a row that was written', async () => {
  const journal = new PostgresJournal({ pool, clock })
  await journal.append({ maintenance: maintenanceId('kept'), key: 'k', event: { kind: 'said', text: 'so it was' } })
  for (const sql of [
    "update coulisse.journal set event = '{}'",
    "delete from coulisse.journal where maintenance = 'kept'",
    'truncate coulisse.journal',
  ])
    await expect(pool.query(sql)).rejects.toThrow('the journal is append-only')
  expect(await journal.read(maintenanceId('kept'))).toHaveLength(1)
})

test('an erased name is gone from the database and from every look, and the chain and the tree hold all the same', async () => {
  const journal = new PostgresJournal({ pool, clock })
  const id = maintenanceId('erased')
  const origins = [
    {
      vmid: vmid(101),
      name: 'acorn-web',
      kind: 'vm',
      node: nodeName('pve3'),
      status: 'running',
      customer: customerId('acorn'),
    },
    {
      vmid: vmid(102),
      name: 'birch-shop',
      kind: 'vm',
      node: nodeName('pve3'),
      status: 'running',
      customer: customerId('birch'),
    },
  ] as const
  await journal.append({ maintenance: id, key: 'a', event: { kind: 'origins-recorded', origins } })
  const text = 'sealed: what Acorn Ltd wrote'
  const { row } = await journal.append({
    maintenance: id,
    key: 'b',
    event: { kind: 'said', text, about: nodeName('pve3') },
  })
  expect(row.event).toEqual({ kind: 'said', text, about: 'pve3' })
  const stored = async () =>
    JSON.stringify((await pool.query("select event from coulisse.journal where maintenance = 'erased'")).rows)
  expect(await stored()).not.toMatch(/acorn|birch/i)
  const before = await journal.read(id)
  expect(chainProblems(before, sha256)).toEqual([])
  expect(await journal.erase('ACORN')).toBe(3)
  const after = await journal.read(id)
  expect(JSON.stringify(after)).not.toMatch(/acorn/i)
  expect(after.map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash))
  expect(chainProblems(after, sha256)).toEqual([])
  expect(after[0]?.event).toMatchObject({
    origins: [{ name: '[erased]', customer: '[erased]' }, { name: 'birch-shop' }],
  })
  const [first] = before
  expect((await journal.append({ maintenance: id, key: 'b', event: { kind: 'said', text } })).row.hash).toBe(
    before[1]?.hash,
  )
  expect(chainProblems([{ ...after[0], event: first?.event } as JournalRow], sha256)).toEqual([])
  const { rows } = await pool.query(
    "select count(*)::int as count from coulisse.journal_text where texts::text ilike '%acorn%'",
  )
  expect(rows[0].count).toBe(0)
})

test('rows that were written before there were seals are read, and their chain goes on', async () => {
  const journal = new PostgresJournal({ pool, clock })
  const old = {
    maintenance: maintenanceId('old'),
    seq: 1,
    key: 'a',
    atMs: 7,
    event: { kind: 'said', text: 'sealed:x' } as const,
    prevHash: CHAIN_START,
  }
  await pool.query(
    `insert into coulisse.journal (id, maintenance, seq, key, at_ms, event, prev_hash, hash)
     select coalesce(max(id), 0) + 1, 'old', 1, 'a', 7, $1, $2, $3 from coulisse.journal`,
    [JSON.stringify(old.event), CHAIN_START, hashOfRow(old, sha256)],
  )
  await journal.append({ maintenance: old.maintenance, key: 'b', event: { kind: 'said', text: 'new' } })
  const rows = await journal.read(old.maintenance)
  expect(rows[0]).toEqual({ ...old, hash: hashOfRow(old, sha256) })
  expect(chainProblems(rows, sha256)).toEqual([])
})

test('all hashes are read in the order in which they were written, and a maintenance knows its places among them', async () => {
  const journal = new PostgresJournal({ pool, clock })
  const first = (await journal.hashes(0)).length
  for (const key of ['a', 'b', 'c'])
    await journal.append({
      maintenance: maintenanceId(key === 'b' ? 'between' : 'placed'),
      key,
      event: { kind: 'said', text: key },
    })
  const rows = await journal.read(maintenanceId('placed'))
  expect(await journal.places(maintenanceId('placed'))).toEqual([first, first + 2])
  const hashes = await journal.hashes(first)
  expect([hashes[0], hashes[2]]).toEqual(rows.map(({ hash }) => hash))
})

test('heads of the journal are kept once a number, in order, and never changed', async () => {
  const store = new PostgresTreeHeads(pool)
  const head = (number: number): SignedHead => ({
    ...{
      format: HEAD_FORMAT,
      number,
      size: number,
      root: 'a'.repeat(64),
      atMs: 7.5,
      day: '2026-11-03',
      previous: null,
    },
    key: 'k',
    signature: `s${number}`,
  })
  expect([await store.addHead(head(1)), await store.addHead(head(2)), await store.addHead(head(2))]).toEqual([
    true,
    true,
    false,
  ])
  expect(await store.heads(0)).toEqual([head(1), head(2)])
  expect(await store.heads(1)).toEqual([head(2)])
  const key = { format: KEY_FORMAT, id: 'k', publicKey: 'b'.repeat(64), sinceMs: 7 } as const
  expect([await store.addKey(1, key), await store.addKey(1, key)]).toEqual([true, false])
  expect(await store.keys()).toEqual([key])
  for (const table of ['tree_head', 'journal_key'])
    await expect(pool.query(`delete from coulisse.${table}`)).rejects.toThrow('append-only')
})

test('samples are kept once, found by guest and time, and forgotten after some days', async () => {
  const samples = new PostgresSamples(pool)
  const chunk = (firstAtMs: number, guest = 101): SampleChunk => ({
    ...{
      format: SAMPLES_FORMAT,
      witness: 'mad1',
      key: 'k',
      run: 'r',
      target: `t${guest}`,
      guest: vmid(guest),
      how: 'tcp',
    },
    ...{ periodMs: 50, firstAtMs, answersUs: [1, LOST, UNSENT], clockMovedMs: 0, sentAtMs: firstAtMs, signature: 's' },
  })
  const all = [chunk(1_000), chunk(1_150.5), chunk(1_000, 102)]
  expect(await samples.put(all.map((one) => ({ chunk: one, aheadMs: 3 })))).toBe(3)
  expect(
    await samples.put([
      { chunk: chunk(1_000), aheadMs: 'unknown' },
      { chunk: chunk(9_000), aheadMs: 'unknown' },
    ]),
  ).toBe(1)
  expect(await samples.find(vmid(101), { fromMs: 1_100, toMs: 1_200 })).toEqual([
    { chunk: chunk(1_000), aheadMs: 3 },
    { chunk: chunk(1_150.5), aheadMs: 3 },
  ])
  expect(await samples.find(vmid(101), { fromMs: 9_000, toMs: 9_001 })).toEqual([
    { chunk: chunk(9_000), aheadMs: 'unknown' },
  ])
  await samples.forgetOld(11 * 86_400_000)
  expect(await samples.find(vmid(101), { fromMs: 0, toMs: 10_000 })).toEqual([])
})

test('a text that PostgreSQL could not take as text comes back all the same', async () => {
  const journal = new PostgresJournal({ pool, clock })
  const text = `a console prints \u0000 and ${JSON.parse('"\\ud800"')}`
  await journal.append({ maintenance: maintenanceId('odd'), key: 'k', event: { kind: 'said', text } })
  expect((await journal.read(maintenanceId('odd')))[0]?.event).toEqual({ kind: 'said', text })
})

test('a live reader sees every row once and in order, also those written at once', { timeout: 20_000 }, async () => {
  const journal = new PostgresJournal({ pool, clock })
  const { rows } = await pool.query<{ id: string }>('select max(id) as id from coulisse.journal')
  const stop = new AbortController()
  const seen: number[] = []
  const keys = new Set<string>()
  const write = (n: number) =>
    journal.append({ maintenance: maintenanceId(`live-${n % 3}`), key: `k${n}`, event: { kind: 'said', text: `${n}` } })
  const writing = Promise.all(Array.from({ length: 60 }, (_, n) => write(n)))
  for await (const { id, row } of journal.watch(Number(rows[0]?.id), stop.signal)) {
    seen.push(id)
    keys.add(row.key)
    if (keys.size === 60) stop.abort()
  }
  await writing
  expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => Number(rows[0]?.id) + 1 + n))
})

test('documents are put and got', async () => {
  const documents = new PostgresDocuments(pool)
  expect(await documents.get('detector')).toBeUndefined()
  await documents.put('detector', { cursor: 'a' })
  await documents.put('detector', { cursor: 'b', list: [1, null] })
  expect(await documents.get('detector')).toEqual({ cursor: 'b', list: [1, null] })
})

test('migrating again changes nothing; a database of a newer program is refused and left alone', async () => {
  const known = checkedInMigrations().length
  expect(await migrate(pool)).toEqual({ from: known, to: known })
  const newer = [...checkedInMigrations(), { version: known + 1, name: 'next', sql: 'create table coulisse.next ()' }]
  expect(await migrate(pool, newer)).toEqual({ from: known, to: known + 1 })
  await expect(migrate(pool)).rejects.toMatchObject({
    retry: 'never',
    message: expect.stringContaining('newer Coulisse'),
  })
})

test('a migration that fails leaves nothing behind', async () => {
  const next = checkedInMigrations().length + 2
  const broken = { version: next, name: 'broken', sql: 'create table coulisse.half (); select 1/0' }
  await expect(migrate(pool, [...checkedInMigrations(), broken])).rejects.toThrow('division by zero')
  const { rows } = await pool.query("select to_regclass('coulisse.half') as half")
  expect(rows[0].half).toBeNull()
})

test('a database that does not answer is an error that asks for another try later', async () => {
  const away = openPool({ url: 'postgresql://nobody@localhost/x?host=/nonexistent', log })
  await expect(migrate(away)).rejects.toMatchObject({ name: 'DriverError', retry: 'later' })
  await away.end()
})
