/** Asks one node's Redfish service for resources and checks their form. */
import { type ZodType, z } from 'zod'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { RedfishClient } from './client.ts'
import { type LogService, link, serviceRoot } from './resources.ts'

export type Asker = {
  readonly node: NodeName
  readonly client: RedfishClient
  readonly system: string | undefined
  /** What does not change while a BMC runs, asked for once. Forgotten after a failure: it may have been started anew. */
  readonly known: Known
}

export type Known = { root?: Promise<ServiceRoot>; layout?: Promise<Layout> }
/** Where a BMC keeps what we read. */
export type Layout = {
  readonly system: string
  readonly chassis: string | undefined
  readonly manager: string | undefined
  readonly fans:
    | { readonly is: 'subsystem'; readonly path: string; readonly fans: string; readonly metrics: string | undefined }
    | { readonly is: 'thermal'; readonly path: string }
    | undefined
  readonly supplies: { readonly is: 'subsystem' | 'power'; readonly path: string } | undefined
  readonly log: LogService | undefined
}

type ServiceRoot = z.infer<typeof serviceRoot>

/** With the slash at its end: without it some BMCs only say where it is. */
const ROOT = '/redfish/v1/'
/** At 50 members a page this is more than any BMC keeps. */
export const PAGES_LIMIT = 200

export async function read<T>({ client, node }: Asker, doing: string, path: string, schema: ZodType<T>): Promise<T> {
  return parse(node, doing, (await client.get(doing, path)).resource, schema)
}

export function parse<T>(node: NodeName, doing: string, value: unknown, schema: ZodType<T>): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const text = 'answered in a form that we do not know'
  throw new DriverError('redfish', `${node}: ${doing}`, { retry: 'later', cause: parsed.error, text })
}

/** Asked for once; a failure is not kept. */
export function once<K extends keyof Known>(known: Known, name: K, ask: () => NonNullable<Known[K]>) {
  const asked = known[name] ?? ask()
  known[name] = asked
  asked.catch(() => {
    if (known[name] === asked) delete known[name]
  })
  return asked
}

export function rootOf(asker: Asker): Promise<ServiceRoot> {
  return once(asker.known, 'root', () => read(asker, 'read the service root', ROOT, serviceRoot))
}

/** `$expand` of DSP0266 in the form that the service says it knows; '' where it knows none. */
export async function expansionOf(asker: Asker): Promise<string> {
  const { ExpandQuery } = (await rootOf(asker)).ProtocolFeaturesSupported ?? {}
  if (ExpandQuery?.NoLinks !== true && ExpandQuery?.ExpandAll !== true) return ''
  return `$expand=${ExpandQuery.NoLinks ? '.' : '*'}${ExpandQuery.Levels === true ? '($levels=1)' : ''}`
}

export const withQuery = (path: string, query: string) =>
  query === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${query}`

const page = z.object({ Members: z.array(z.unknown()), 'Members@odata.nextLink': z.string().optional() })

/** The members themselves: all in one answer where the service expands, else one by one. */
export async function members<T>(asker: Asker, doing: string, path: string, schema: ZodType<T>): Promise<readonly T[]> {
  const found: T[] = []
  let next: string | undefined = withQuery(path, await expansionOf(asker))
  for (let pages = 1; next !== undefined && pages <= PAGES_LIMIT; pages++) {
    const { Members, 'Members@odata.nextLink': following }: z.infer<typeof page> = await read(asker, doing, next, page)
    for (const member of Members) found.push(parse(asker.node, doing, await whole(asker, doing, member), schema))
    next = following
  }
  return found
}

/** A member that is a link alone is fetched; services that expand do not always. */
export async function whole({ node, client }: Asker, doing: string, member: unknown): Promise<unknown> {
  if (!isLinkAlone(member)) return member
  return (await client.get(doing, parse(node, doing, member, link)['@odata.id'])).resource
}

export const isLinkAlone = (member: unknown): boolean =>
  typeof member === 'object' && member !== null && '@odata.id' in member && Object.keys(member).length === 1
