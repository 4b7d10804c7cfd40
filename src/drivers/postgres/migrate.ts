/** Brings the database's schema to the version that this program knows. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { DriverError } from '#domain/driver-error'
import { inTransaction } from './pool.ts'

export type Migration = { readonly version: number; readonly name: string; readonly sql: string }

export const OLDEST_SERVER = 14
/** Two processes that start at once migrate one after the other. */
const MIGRATION_LOCK = 0x636f756c

/**
 * All missing migrations in one transaction: done, or nothing happened. A database that is newer than this program, or a server
 * older than PostgreSQL 14, is refused and left as it is (DriverError 'never'); one that does not answer is 'later'.
 */
export async function migrate(
  pool: pg.Pool,
  migrations: readonly Migration[] = checkedInMigrations(),
): Promise<{ readonly from: number; readonly to: number }> {
  return inTransaction(pool, 'bring the database up to date', async (client) => {
    await refuseOldServer(client)
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    const from = await versionOf(client)
    const to = migrations.at(-1)?.version ?? 0
    if (from > to)
      throw refused(`it is at version ${from}, this program knows ${to}: a newer Coulisse has used it; start that one`)
    for (const { version, name, sql } of migrations.filter((migration) => migration.version > from)) {
      await client.query(sql)
      await client.query('insert into coulisse.schema_version (version, name) values ($1, $2)', [version, name])
    }
    return { from, to }
  })
}

export function checkedInMigrations(): readonly Migration[] {
  const folder = new URL('./schema/', import.meta.url)
  const files = readdirSync(fileURLToPath(folder)).filter((file) => /^\d{4}-.*\.sql$/.test(file))
  return files.sort().map((name) => ({
    version: Number(name.slice(0, 4)),
    name,
    sql: readFileSync(new URL(name, folder), 'utf8'),
  }))
}

async function versionOf(client: pg.PoolClient): Promise<number> {
  await client.query('create schema if not exists coulisse')
  await client.query(`create table if not exists coulisse.schema_version (
    version integer primary key, name text not null, applied_at timestamptz not null default now())`)
  const { rows } = await client.query('select coalesce(max(version), 0) as version from coulisse.schema_version')
  return rows[0].version
}

async function refuseOldServer(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ version: string }>("select current_setting('server_version_num') as version")
  const major = Math.floor(Number(rows[0]?.version) / 10_000)
  if (major < OLDEST_SERVER) throw refused(`the server is PostgreSQL ${major}; ${OLDEST_SERVER} or newer is needed`)
}

function refused(text: string): DriverError {
  return new DriverError('postgres', 'use the database', { retry: 'never', text })
}
