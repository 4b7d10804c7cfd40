/** Asks NetBox where devices stand, many names a question. Never changes anything there. */
import type { Secret } from '#domain/secret'
import { jsonService, type Trust } from '#drivers/tls/json-service'
import { type NetboxDevice, readDevices, refusalIn } from './answers.ts'

export type NetboxConfig = {
  /** 'https://netbox.example' or with the prefix that it is served under */
  readonly url: string
  readonly token: Secret
  readonly trust: Trust
  readonly deadlineMs?: number
}

export type NetboxDevices = {
  /** All devices that have one of these names, in whatever case. A name may have several, at several sites, or none. */
  named(names: readonly string[]): Promise<readonly NetboxDevice[]>
  close(): Promise<void>
}

const DEADLINE_MS = 8_000
const BODY_LIMIT_BYTES = 16 * 1024 * 1024
/** NetBox answers at most 1000 a page by default, its operator may allow fewer. */
const PAGE_SIZE = 100
const PAGES_LIMIT = 50
/** So that a line of names stays below what proxies take. */
const NAMES_A_QUESTION = 50

export function netboxDevices(config: NetboxConfig): NetboxDevices {
  const service = jsonService({
    driver: 'netbox',
    url: config.url,
    trust: config.trust,
    authorization: () => authorizationOf(config.token),
    deadlineMs: config.deadlineMs ?? DEADLINE_MS,
    bodyLimitBytes: BODY_LIMIT_BYTES,
  })
  const doing = 'look up where nodes stand'
  async function page(names: readonly string[], offset: number) {
    const query = new URLSearchParams({ limit: String(PAGE_SIZE), offset: String(offset), exclude: 'config_context' })
    for (const name of names) query.append('name__ie', name)
    const { status, json } = await service.get(doing, `/api/dcim/devices/?${query}`)
    if (status !== 200) {
      const retry = status >= 500 || status === 429 ? 'later' : 'never'
      throw service.fail(doing, retry, `${status} ${refusalIn(json)}`.trim())
    }
    const answer = readDevices(json)
    if (answer.is === 'unknown') throw service.fail(doing, 'never', answer.text)
    return answer
  }
  async function all(names: readonly string[]): Promise<readonly NetboxDevice[]> {
    const found: NetboxDevice[] = []
    let offset = 0
    for (let pages = 1; pages <= PAGES_LIMIT; pages++) {
      // `next` is not followed: behind a proxy it names a host that is not ours to send a token to.
      const { devices, isLast } = await page(names, offset)
      found.push(...devices)
      if (isLast) return found
      if (devices.length === 0) break
      offset += devices.length
    }
    throw service.fail(doing, 'never', `more than ${PAGES_LIMIT} pages, or pages without end`)
  }
  return {
    named: async (names) => {
      const found: NetboxDevice[] = []
      for (let from = 0; from < names.length; from += NAMES_A_QUESTION) {
        found.push(...(await all(names.slice(from, from + NAMES_A_QUESTION))))
      }
      return found
    },
    close: () => service.close(),
  }
}

/** From NetBox 4.5 tokens begin with nbt_ and are bearers; those before are not, and 5.0 will not know them. */
function authorizationOf(token: Secret): string {
  const value = token.reveal()
  return value.startsWith('nbt_') ? `Bearer ${value}` : `Token ${value}`
}
