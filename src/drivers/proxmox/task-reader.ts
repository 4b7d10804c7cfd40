/** How far a migration's task is: by its log alone, in one call; by its status only where the log does not say. */
import type { Clock } from '#ports/clock'
import { type ProxmoxClient, path, refused } from './client.ts'
import { EMPTY_LOG, exitOfLine, type MigrationLog, readLogLine } from './task-log.ts'
import type { Upid } from './upid.ts'
import * as wire from './wire.ts'

const LOG_PAGE_LINES = 500
const LOG_PAGES_LIMIT = 40
const LOGS_KEPT_LIMIT = 500
/** A copy writes a line each second: one that is silent for longer may have died without a last word. */
const LOG_SILENCE_MS = 10_000

/** Recorded: 400 {"upid":"no such task"}. */
const NO_SUCH_TASK = /no such task/

export type TaskState =
  | { readonly is: 'running'; readonly log: MigrationLog }
  | { readonly is: 'ended'; readonly exitStatus: string; readonly log: MigrationLog }
  /** Its node was reinstalled, or the task list was lost with it. */
  | { readonly is: 'gone'; readonly text: string }

/** Whole pages are read once; the page that still grows is read again each time. */
type Kept = {
  readonly pages: number
  readonly folded: MigrationLog
  readonly tail: string
  readonly grewAtMs: number
  readonly mayHaveEnded: boolean
}

type Read = { readonly kept: Kept; readonly log: MigrationLog; readonly exitStatus: string | undefined }

export type TaskReader = {
  read(upid: Upid, doing: string): Promise<TaskState>
  /** Somebody stopped it: it may end without a last line. */
  wasStopped(upid: Upid): void
}

export function taskReader(client: ProxmoxClient, clock: Clock): TaskReader {
  const keptLogs = new Map<string, Kept>()

  /** 'unread': the log is refused, and the status may not be. */
  async function page(upid: Upid, doing: string, number: number): Promise<readonly string[] | 'gone' | 'unread'> {
    const call = {
      doing,
      path: path`/nodes/${upid.node}/tasks/${upid.text}/log`,
      params: { start: number * LOG_PAGE_LINES, limit: LOG_PAGE_LINES },
      avoid: upid.node,
    }
    const reply = await client.ask(wire.taskLog, call)
    if (reply.is === 'data') return reply.data.map((line) => line.t ?? '')
    return NO_SUCH_TASK.test(reply.text) ? 'gone' : 'unread'
  }

  async function readLog(upid: Upid, doing: string, before: Kept, nowMs: number): Promise<Read | 'gone' | 'unread'> {
    let { pages, folded } = before
    for (;;) {
      const lines = await page(upid, doing, pages)
      if (lines === 'gone' || lines === 'unread') return lines
      const log = lines.reduce(readLogLine, folded)
      const last = lines.at(-1) ?? ''
      const exitStatus = exitOfLine(last)
      if (lines.length < LOG_PAGE_LINES || exitStatus !== undefined || pages >= LOG_PAGES_LIMIT) {
        const tail = `${pages} ${lines.length} ${last}`
        const grewAtMs = tail === before.tail ? before.grewAtMs : nowMs
        return { kept: { ...before, pages, folded, tail, grewAtMs }, log, exitStatus }
      }
      pages++
      folded = log
    }
  }

  async function byStatus(upid: Upid, doing: string, log: MigrationLog): Promise<TaskState> {
    const call = { doing, path: path`/nodes/${upid.node}/tasks/${upid.text}/status`, avoid: upid.node }
    const reply = await client.ask(wire.taskStatus, call)
    if (reply.is === 'refused') {
      if (NO_SUCH_TASK.test(reply.text)) return GONE
      throw refused(call, reply)
    }
    const { status, exitstatus } = reply.data
    return status === 'running' ? { is: 'running', log } : { is: 'ended', exitStatus: exitstatus ?? '', log }
  }

  function keep(upid: Upid, kept: Kept): void {
    if (keptLogs.size >= LOGS_KEPT_LIMIT) keptLogs.delete(keptLogs.keys().next().value ?? upid.text)
    keptLogs.set(upid.text, kept)
  }

  return {
    wasStopped(upid) {
      keep(upid, { ...(keptLogs.get(upid.text) ?? unread(0)), mayHaveEnded: true })
    },
    async read(upid, doing) {
      const nowMs = await clock.nowMs()
      const before = keptLogs.get(upid.text) ?? unread(nowMs)
      const read = await readLog(upid, doing, before, nowMs)
      if (read === 'gone') return GONE
      // The log is evidence, the status is the fact: without the one its figures stay unmeasured.
      if (read === 'unread') return byStatus(upid, doing, before.folded)
      if (read.exitStatus !== undefined) return { is: 'ended', exitStatus: read.exitStatus, log: read.log }
      keep(upid, read.kept)
      const isSilent = nowMs - read.kept.grewAtMs >= LOG_SILENCE_MS
      if (!isSilent && !read.kept.mayHaveEnded) return { is: 'running', log: read.log }
      const state = await byStatus(upid, doing, read.log)
      if (state.is !== 'ended') return state
      // It may have ended between the two looks: the rest of its log is the evidence.
      const rest = await readLog(upid, doing, read.kept, nowMs)
      return typeof rest === 'string' ? state : { ...state, log: rest.log }
    },
  }
}

const GONE: TaskState = { is: 'gone', text: 'no such task' }

const unread = (nowMs: number): Kept => ({
  pages: 0,
  folded: EMPTY_LOG,
  tail: '',
  grewAtMs: nowMs,
  mayHaveEnded: false,
})
