/**
 * One live move by immediate post-copy: the guest switches to the target at once and its memory follows. Under TCG precopy loses
 * dirty pages although QEMU says `completed`; post-copy does not. Once it has begun there is no way back.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Known } from '#domain/measured'
import type { Qmp } from './qmp.ts'

export type PostCopy =
  | {
      readonly is: 'moved'
      /** QEMU's own word for its pause, in whole milliseconds. */
      readonly downtimeMs: Known<number>
      readonly transferredBytes: Known<number>
      readonly totalMs: Known<number>
    }
  /** Nothing has happened: the guest runs at its source. */
  | { readonly is: 'stayed'; readonly text: string }
  /** After the switch: neither end runs it any more. */
  | { readonly is: 'lost'; readonly text: string }

export type PostCopyOptions = {
  readonly source: Qmp
  readonly target: Qmp
  /** Where the target waits: 'unix:/run/….'. */
  readonly uri: string
  /** The last moment to say no: with false nothing has happened. */
  readonly mayCommit: () => boolean | Promise<boolean>
}

const LOOKS_APART_MS = 10
/** 80 MB take one to three seconds; a loaded machine may need many times that. */
const COPY_LIMIT_MS = 120_000
const ACTIVE_LIMIT_MS = 30_000
const RUNNING_LIMIT_MS = 60_000
/** Hardly anything is copied before the switch: that part would be precopy. */
const BEFORE_SWITCH_BYTES_A_SECOND = 4096

type MigrationInfo = {
  readonly status?: string
  readonly downtime?: number
  readonly 'total-time'?: number
  readonly 'error-desc'?: string
  readonly ram?: { readonly transferred?: number }
}

const query = (qmp: Qmp) => qmp.execute<MigrationInfo>('query-migrate')
const statusOf = async (qmp: Qmp) => (await qmp.execute<{ readonly status: string }>('query-status')).status
const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

export async function movePostCopy(options: PostCopyOptions): Promise<PostCopy> {
  const { source } = options
  const ready = await begin(options).catch((error: unknown) => wordsOf(error))
  if (ready !== 'active') return stayed(source, ready)
  if (!(await options.mayCommit())) return stayed(source, 'called off before the switch')
  // A target that has died since would take the guest with it.
  const waits = await statusOf(options.target).catch((error: unknown) => wordsOf(error))
  if (waits !== 'inmigrate') return stayed(source, `the target is not there any more: ${waits}`)
  try {
    await source.execute('migrate-start-postcopy')
    return await followTheRest(options)
  } catch (error) {
    return { is: 'lost', text: wordsOf(error) }
  }
}

/** Up to the first `active`; else why not. */
async function begin({ source, target, uri }: PostCopyOptions): Promise<'active' | string> {
  const capabilities = [{ capability: 'postcopy-ram', state: true }]
  for (const end of [source, target]) await end.execute('migrate-set-capabilities', { capabilities })
  await source.execute('migrate-set-parameters', {
    'max-bandwidth': BEFORE_SWITCH_BYTES_A_SECOND,
    'max-postcopy-bandwidth': 0,
  })
  await source.execute('migrate', { uri })
  for (let waitedMs = 0; waitedMs < ACTIVE_LIMIT_MS; waitedMs += LOOKS_APART_MS) {
    const { status, ...info } = await query(source)
    if (status === 'active') return 'active'
    if (status === 'failed' || status === 'cancelled' || status === 'completed') {
      return `it ended as ${status} before the switch${info['error-desc'] === undefined ? '' : `: ${info['error-desc']}`}`
    }
    await sleep(LOOKS_APART_MS)
  }
  return `it was not under way within ${ACTIVE_LIMIT_MS / 1000} s`
}

/** The source is made to run on by itself, whatever state its attempt is in. */
async function stayed(source: Qmp, text: string): Promise<PostCopy> {
  try {
    await source.execute('migrate_cancel')
    for (let waitedMs = 0; waitedMs < RUNNING_LIMIT_MS; waitedMs += LOOKS_APART_MS) {
      const { status } = await query(source)
      const isOver = status === undefined || status === 'none' || status === 'cancelled' || status === 'failed'
      if (isOver && (await statusOf(source)) === 'running') return { is: 'stayed', text }
      await sleep(LOOKS_APART_MS)
    }
    return { is: 'lost', text: `${text}; and its source does not run on` }
  } catch (error) {
    return { is: 'lost', text: `${text}; and its source: ${wordsOf(error)}` }
  }
}

/** The source says `completed` while the target is still `inmigrate`: the move is over when the target runs. */
async function followTheRest({ source, target }: PostCopyOptions): Promise<PostCopy> {
  const info = await untilCopied(source)
  if (info.status !== 'completed') {
    const why = info['error-desc'] ?? `it is ${info.status}`
    return (await statusOf(source)) === 'running' ? { is: 'stayed', text: why } : { is: 'lost', text: why }
  }
  let status = ''
  for (let waitedMs = 0; waitedMs < RUNNING_LIMIT_MS && status !== 'running'; waitedMs += LOOKS_APART_MS) {
    status = await statusOf(target)
    if (status !== 'running') await sleep(LOOKS_APART_MS)
  }
  if (status !== 'running') return { is: 'lost', text: `the target is ${status}` }
  return {
    is: 'moved',
    downtimeMs: info.downtime ?? 'unknown',
    transferredBytes: info.ram?.transferred ?? 'unknown',
    totalMs: info['total-time'] ?? 'unknown',
  }
}

const OVER = ['completed', 'failed', 'cancelled', 'postcopy-paused']

async function untilCopied(source: Qmp): Promise<MigrationInfo> {
  for (let waitedMs = 0; waitedMs < COPY_LIMIT_MS; waitedMs += LOOKS_APART_MS) {
    const info = await query(source)
    if (OVER.includes(info.status ?? '')) return info
    await sleep(LOOKS_APART_MS)
  }
  return { status: `still under way after ${COPY_LIMIT_MS / 1000} s` }
}
