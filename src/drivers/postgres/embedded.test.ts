/** The embedded server really runs here: as root under another account, else as ourselves. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { type EmbeddedPostgres, removeEmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { canEnter, findHome, serverAccounts } from './embedded-home.ts'

const states: { readonly base: string; readonly stateDir: string }[] = []
const log = () => {}

function newState(...below: string[]): string {
  const base = mkdtempSync(join(tmpdir(), 'coulisse-engine-'))
  const stateDir = join(base, ...below)
  mkdirSync(stateDir, { recursive: true })
  states.push({ base, stateDir })
  return stateDir
}

afterEach(async () => {
  for (const { base, stateDir } of states.splice(0)) {
    await removeEmbeddedPostgres(stateDir)
    rmSync(base, { recursive: true, force: true })
  }
})

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(sql)
  await client.end()
  return rows[0]
}

test('two that start at once share one server; killed with -9 it starts again, with its data', async () => {
  const stateDir = newState()
  const both = await Promise.all([1, 2].map(() => startEmbeddedPostgres({ stateDir, log })))
  const [first, second] = both as [EmbeddedPostgres, EmbeddedPostgres]
  expect(second.pid).toBe(first.pid)
  await ask(first.url, 'create table kept (n integer)')
  const again = await startEmbeddedPostgres({ stateDir, log })
  expect([again.isAdopted, again.pid]).toEqual([true, first.pid])
  process.kill(first.pid, 'SIGKILL')
  const third = await startEmbeddedPostgres({ stateDir, log })
  expect(third.isAdopted).toBe(false)
  expect(third.pid).not.toBe(first.pid)
  expect(await ask(third.url, 'select count(*)::int as n from kept')).toEqual({ n: 0 })
  await third.stop()
  await third.stop()
  await expect(ask(third.url, 'select 1')).rejects.toThrow()
})

const isRoot = process.getuid?.() === 0
if (!isRoot)
  console.warn('left out: that root has it run as nobody from a folder that only root can enter (we are not root)')

test('it runs from a path that is too long for a socket and has odd letters, and that only we can enter', async () => {
  const stateDir = newState('private', 'x'.repeat(60), "a long path with spaces and 'quotes'")
  chmodSync(join(stateDir, '..', '..'), 0o700)
  const { url, pid } = await startEmbeddedPostgres({ stateDir, log, accountNames: ['nobody'] })
  expect(await ask(url, "select current_setting('listen_addresses') as addresses, current_user as name")).toEqual({
    addresses: '',
    name: 'coulisse',
  })
  // Also when somebody installs a `postgres` account later: the data's owner goes on.
  const again = await startEmbeddedPostgres({ stateDir, log })
  expect([again.isAdopted, again.pid]).toEqual([true, pid])
  if (!isRoot) return
  const { root, account } = findHome(stateDir)
  expect(account?.name).toBe('nobody')
  expect(root).toMatch(/^\/var\/lib\/coulisse\//)
  expect(account && canEnter(stateDir, account)).toBe(false)
})

test('the account is postgres, else nobody', () => {
  const postgres = 'postgres:x:101:104::/var/lib/postgresql:/bin/bash'
  const nobody = 'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin'
  const names = ['postgres', 'nobody']
  expect(serverAccounts(names, `${nobody}\n${postgres}`)[0]).toEqual({ name: 'postgres', uid: 101, gid: 104 })
  expect(serverAccounts(names, nobody)).toEqual([{ name: 'nobody', uid: 65534, gid: 65534 }])
  expect(serverAccounts(names, 'root:x:0:0::/root:/bin/sh')).toEqual([])
})
