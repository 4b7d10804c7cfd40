/** Answers that no move of a guest changes, kept from one look for the next: a drain looks again and again, and asks little. */
import type { z } from 'zod'
import type { Clock } from '#ports/clock'
import type { Call, ProxmoxClient } from './client.ts'
import type { Reply } from './schema.ts'

/** Configurations are one call a guest, and in a drain they only tell which disks go along. */
const CONFIGS_KEPT_MS = 3_600_000
const FACTS_KEPT_MS = 300_000
const ENTRIES_LIMIT = 20_000

const CONFIG = /^\/nodes\/[^/]+\/(qemu|lxc)\/\d+\/config$/
const FACTS = [
  /^\/(version|access\/permissions|cluster\/options|cluster\/config\/nodes|cluster\/ceph\/status|cluster\/replication|cluster\/backup)$/,
  /^\/cluster\/ha\/(resources|rules|groups)$/,
  /^\/cluster\/(backup|replication|nextid|mapping\/\w+)$/,
  /^\/nodes\/[^/]+\/(status|storage|network|apt\/versions|capabilities\/qemu\/migration)$/,
]
/** 9.x refuses groups with a plain 500: they are rules now. */
const NOT_IN_THIS_RELEASE = /^\/cluster\/ha\/groups$/
/** Whether a QDevice is there changes seldom; whether it is up must be asked each time. */
const QDEVICE = '/cluster/config/qdevice'

function keptForMs(path: string, reply: Reply<unknown>): number {
  if (reply.is === 'refused' && reply.status !== 501 && !NOT_IN_THIS_RELEASE.test(path)) return 0
  if (CONFIG.test(path)) return CONFIGS_KEPT_MS
  if (FACTS.some((fact) => fact.test(path))) return FACTS_KEPT_MS
  return path === QDEVICE && isEmpty(reply) ? FACTS_KEPT_MS : 0
}

const isEmpty = (reply: Reply<unknown>) => reply.is === 'data' && JSON.stringify(reply.data) === '{}'

export type KeptAnswers = {
  /** Asks everything, and keeps what may be kept. */
  readonly whole: ProxmoxClient
  /** Asks what moves change; the rest is taken from before where it is young enough. */
  readonly again: ProxmoxClient
}

export function keepAnswers(client: ProxmoxClient, clock: Clock): KeptAnswers {
  const kept = new Map<string, { readonly atMs: number; readonly untilMs: number; readonly reply: Reply<unknown> }>()
  // A configuration goes along with its guest: where it lies now is not part of what it says.
  const keyOf = ({ path, params }: Call) =>
    `${CONFIG.test(path) ? path.replace(/^\/nodes\/[^/]+/, '') : path} ${JSON.stringify(params ?? {})}`

  async function ask<T>(schema: z.ZodType<T>, call: Call): Promise<Reply<T>> {
    const reply = await client.ask(schema, call)
    const keepMs = keptForMs(call.path, reply)
    if (keepMs === 0) return reply
    const atMs = await clock.nowMs()
    if (kept.size >= ENTRIES_LIMIT) kept.delete(kept.keys().next().value ?? '')
    kept.set(keyOf(call), { atMs, untilMs: atMs + keepMs, reply })
    return reply
  }

  async function askAgain<T>(schema: z.ZodType<T>, call: Call): Promise<Reply<T>> {
    const found = kept.get(keyOf(call))
    if (found !== undefined) {
      const nowMs = await clock.nowMs()
      // A clock that jumped back would make it look young for ever.
      if (found.atMs <= nowMs && nowMs < found.untilMs) return found.reply as Reply<T>
    }
    return ask(schema, call)
  }

  return { whole: { ...client, ask }, again: { ...client, ask: askAgain } }
}
