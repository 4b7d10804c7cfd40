/** Connections to PostgreSQL, and what its errors mean to us. */
import pg from 'pg'
import { DriverError, type Retry } from '#domain/driver-error'

const POOL_SIZE = 10
const CONNECT_LIMIT_MS = 10_000
const STATEMENT_LIMIT_MS = 30_000

/** Opens no connection yet. Lost idle connections are said, not thrown. */
export function openPool(options: { readonly url: string; readonly log: (text: string) => void }): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    statement_timeout: STATEMENT_LIMIT_MS,
    keepAlive: true,
    application_name: 'coulisse',
    allowExitOnIdle: true,
  })
  // A connection in use that breaks tells its query; without a listener of its own it would end the process as well.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', (error) => options.log(`PostgreSQL: an idle connection was lost: ${error.message}`))
  return pool
}

/** Runs `work` in one transaction on one connection. Every error is a DriverError that names `doing`. */
export async function inTransaction<T>(
  pool: pg.Pool,
  doing: string,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  return asDriverError(doing, async () => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const result = await work(client)
      await client.query('commit')
      client.release()
      return result
    } catch (error) {
      // Only a connection that could roll back is used again.
      await client.query('rollback').then(
        () => client.release(),
        () => client.release(true),
      )
      throw error
    }
  })
}

export async function asDriverError<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof DriverError) throw cause
    throw new DriverError('postgres', doing, { retry: retryOf(cause), cause, text: textOf(cause) })
  }
}

/** 40: a conflict, which passes. 08, 53, 57P, 25006 and errors of the network: the server is away, full, or a standby. */
function retryOf(error: unknown): Retry {
  const code = codeOf(error)
  if (code.startsWith('40')) return 'now'
  if (/^(08|53|57P|25006)/.test(code)) return 'later'
  // SQLSTATEs have five letters; what has none, or a system's own (ECONNREFUSED), never reached the server's mind.
  return /^[0-9A-Z]{5}$/.test(code) ? 'never' : 'later'
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

export function textOf(error: unknown): string {
  // Node gives an AggregateError without a message when a name has several addresses and none answers.
  if (error instanceof AggregateError) return error.errors.map((one) => textOf(one)).join('; ')
  return error instanceof Error ? error.message || codeOf(error) : String(error)
}
