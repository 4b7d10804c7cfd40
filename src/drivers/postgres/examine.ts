/** What the doctor sees of a database. It looks and changes nothing: no schema is made, nothing is migrated. */
import pg from 'pg'
import type { Check } from '#domain/check'
import { STAGES } from '#domain/maintenance'
import type { Secret } from '#domain/secret'
import { checkedInMigrations, OLDEST_SERVER } from './migrate.ts'
import { textOf } from './pool.ts'

const CONNECT_LIMIT_MS = 10_000
const QUERY_LIMIT_MS = 10_000
/** Durable timers are compared with both clocks: beyond this one of them is wrong. */
const CLOCK_LIMIT_MS = 5_000

/** @param nowMs the machine's own clock, to be held against the database's. */
export async function examineDatabase(url: Secret, nowMs: () => number): Promise<readonly Check[]> {
  const subject = subjectOf(url)
  const client = new pg.Client({
    connectionString: url.reveal(),
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    query_timeout: QUERY_LIMIT_MS,
    application_name: 'coulisse doctor',
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const askedAtMs = nowMs()
    const { rows } = await client.query<Seen>(LOOK)
    const tookMs = nowMs() - askedAtMs
    const seen = rows[0] as Seen
    const version = seen.known === null ? 0 : await schemaVersion(client)
    return checksOf(subject, { ...seen, version, offByMs: Number(seen.now_ms) - askedAtMs - tookMs / 2 })
  } catch (error) {
    return [
      {
        area: 'database',
        subject,
        outcome: 'missing',
        text: `does not answer: ${textOf(error)}`,
        stages: STAGES,
        mend: 'start PostgreSQL, or correct database.url in the configuration',
      },
    ]
  } finally {
    await client.end().catch(() => {})
  }
}

type Seen = {
  readonly number: string
  readonly standby: boolean
  readonly may_create: boolean
  readonly known: string | null
  readonly now_ms: string
}

const LOOK = `select current_setting('server_version_num') as number, pg_is_in_recovery() as standby,
  has_database_privilege(current_database(), 'CREATE') as may_create,
  to_regclass('coulisse.schema_version')::text as known, extract(epoch from clock_timestamp()) * 1000 as now_ms`

async function schemaVersion(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    'select coalesce(max(version), 0) as version from coulisse.schema_version',
  )
  return rows[0]?.version ?? 0
}

type Facts = Omit<Seen, 'known' | 'now_ms'> & { readonly version: number; readonly offByMs: number }

function checksOf(subject: string, facts: Facts): readonly Check[] {
  const major = Math.floor(Number(facts.number) / 10_000)
  const newest = checkedInMigrations().at(-1)?.version ?? 0
  const bad = (outcome: 'missing' | 'dangerous', text: string, mend: string): Check => ({
    area: 'database',
    subject,
    outcome,
    text,
    stages: STAGES,
    mend,
  })
  const found: Check[] = []
  if (major < OLDEST_SERVER) {
    found.push(
      bad(
        'missing',
        `is PostgreSQL ${major}; ${OLDEST_SERVER} or newer is needed`,
        'upgrade PostgreSQL, or name another',
      ),
    )
  }
  if (facts.standby) found.push(bad('missing', 'is a standby and takes no writes', 'name the primary in database.url'))
  if (!facts.may_create && facts.version === 0) {
    found.push(bad('missing', 'our user may not make its schema here', 'GRANT CREATE ON DATABASE … TO …'))
  }
  if (facts.version > newest) {
    const text = `is at version ${facts.version}, this program knows ${newest}: a newer Coulisse has used it`
    found.push(bad('missing', text, 'start the newer Coulisse'))
  }
  if (Math.abs(facts.offByMs) > CLOCK_LIMIT_MS) {
    const text = `its clock is ${(facts.offByMs / 1000).toFixed(1)} s off ours`
    found.push(bad('dangerous', text, 'set both clocks by NTP: chronyc makestep'))
  }
  if (found.length > 0) return found
  const state =
    facts.version === 0 ? 'new: its tables are made at the first start' : `version ${facts.version} of our tables`
  return [
    { area: 'database', subject, outcome: 'fine', text: `answers, PostgreSQL ${major}, ${state}; its clock is ours` },
  ]
}

/** Host and database, never user or password. */
function subjectOf(url: Secret): string {
  try {
    const { host, pathname, searchParams } = new URL(url.reveal())
    return `${searchParams.get('host') ?? (host || 'localhost')}${pathname}`
  } catch {
    return 'PostgreSQL'
  }
}
