/** Reads a log's entries: from where we stopped where the service lets us, else all of them. */
import { type Asker, expansionOf, isLinkAlone, PAGES_LIMIT, parse, whole, withQuery } from './asker.ts'
import { continues, type LogPages, type Place, skipOf } from './log-cursor.ts'
import { type LogRecord, logEntryAnswer, toRecord } from './log-entry.ts'

type Page = {
  /** As many as the page has members; undefined for one that is no record of a log that we can follow. */
  readonly records: readonly (LogRecord | undefined)[]
  readonly next: string | undefined
  /** Of the whole log. */
  readonly count: number | undefined
}

const doing = 'read the event log'

export async function readEntries(asker: Asker, path: string, before: Place | undefined): Promise<LogPages> {
  const skip = before === undefined ? undefined : skipOf(before)
  if (before !== undefined && skip !== undefined) {
    const tail = await pagesFrom(asker, withQuery(path, `$skip=${skip}`), () => false)
    const records = tail.records.filter((record) => record !== undefined)
    if (continues(before, records)) {
      return { records: records.slice(1), count: skip + tail.records.length, isWhole: false, skips: true }
    }
  }
  // Newest first, the page with the record that we know is the last one that we need.
  const isKnown = (record: LogRecord) => before !== undefined && continues(before, [record])
  const all = await pagesFrom(asker, path, (page) => isNewestFirst(page) && page.some((one) => one && isKnown(one)))
  return {
    records: all.records.filter((record) => record !== undefined),
    count: all.count ?? all.records.length,
    isWhole: all.isWhole,
    skips: all.skips && !isNewestFirst(all.records),
  }
}

function isNewestFirst(records: readonly (LogRecord | undefined)[]): boolean {
  const ids = records.flatMap((record) => record?.id ?? [])
  return ids.length > 1 && (ids[0] ?? 0) > (ids.at(-1) ?? 0)
}

async function pagesFrom(asker: Asker, path: string, isEnough: (page: Page['records']) => boolean) {
  const records: (LogRecord | undefined)[] = []
  let next: string | undefined = path
  let count: number | undefined
  let skips = false
  for (let pages = 1; next !== undefined && pages <= PAGES_LIMIT; pages++) {
    const page: Page = await pageAt(asker, next)
    records.push(...page.records)
    count ??= page.count
    next = page.next
    skips ||= next?.includes('$skip=') === true
    if (next !== undefined && isEnough(page.records)) return { records, count, isWhole: false, skips }
  }
  return { records, count, isWhole: true, skips }
}

/** Most collections carry their entries whole; iLO lists links, and carries them when it is asked to expand. */
async function pageAt(asker: Asker, path: string): Promise<Page> {
  let { resource } = await asker.client.get(doing, path)
  let members = Array.isArray(resource.Members) ? resource.Members : []
  const expansion = await expansionOf(asker)
  if (expansion !== '' && !path.includes('$expand') && members.some(isLinkAlone)) {
    resource = (await asker.client.get(doing, withQuery(path, expansion))).resource
    members = Array.isArray(resource.Members) ? resource.Members : members
  }
  const records: (LogRecord | undefined)[] = []
  for (const member of members) {
    records.push(toRecord(parse(asker.node, doing, await whole(asker, doing, member), logEntryAnswer)))
  }
  const { 'Members@odata.nextLink': next, 'Members@odata.count': count } = resource
  return {
    records,
    next: typeof next === 'string' ? next : undefined,
    count: typeof count === 'number' ? count : undefined,
  }
}
