/** Asks one node's Redfish service for resources and checks their form. */
import type { ZodType, z } from 'zod'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { RedfishClient } from './client.ts'
import { chassisResource, collection, systemResource } from './resources.ts'

export type Asker = { readonly node: NodeName; readonly client: RedfishClient; readonly system: string | undefined }
export type System = z.infer<typeof systemResource>
export type Chassis = z.infer<typeof chassisResource>

const SYSTEMS = '/redfish/v1/Systems'
/** At 50 members a page this is more than any BMC keeps. */
export const PAGES_LIMIT = 200

export async function read<T>({ client, node }: Asker, doing: string, path: string, schema: ZodType<T>): Promise<T> {
  return parse(node, doing, (await client.get(doing, path)).resource, schema)
}

export function parse<T>(node: NodeName, doing: string, value: unknown, schema: ZodType<T>): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const text = 'answered in a form that we do not know'
  throw new DriverError('redfish', `${node}: ${doing}`, { retry: 'never', cause: parsed.error, text })
}

/** The members themselves; services that know $expand are not relied on. */
export async function members<T>(asker: Asker, doing: string, path: string, schema: ZodType<T>): Promise<readonly T[]> {
  const found: T[] = []
  let page: string | undefined = path
  for (let pages = 1; page !== undefined && pages <= PAGES_LIMIT; pages++) {
    const { Members, 'Members@odata.nextLink': next }: z.infer<typeof collection> = await read(
      asker,
      doing,
      page,
      collection,
    )
    for (const member of Members) found.push(await read(asker, doing, member['@odata.id'], schema))
    page = next
  }
  return found
}

export async function systemOf(asker: Asker): Promise<System> {
  const doing = 'read the system'
  if (asker.system !== undefined) return read(asker, doing, asker.system, systemResource)
  const { Members } = await read(asker, 'list the systems', SYSTEMS, collection)
  const [only, second] = Members
  if (only === undefined || second !== undefined) {
    const text = `${Members.length} systems answer here: say in the configuration which one it is`
    throw new DriverError('redfish', `${asker.node}: ${doing}`, { retry: 'never', text })
  }
  return read(asker, doing, only['@odata.id'], systemResource)
}

export async function chassisOf(asker: Asker) {
  const [chassis] = (await systemOf(asker)).Links?.Chassis ?? []
  if (chassis !== undefined) return read(asker, 'read the chassis', chassis['@odata.id'], chassisResource)
  const [first] = await members(asker, 'read the chassis', '/redfish/v1/Chassis', chassisResource)
  return first ?? {}
}
