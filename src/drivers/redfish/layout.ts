/** Where a BMC keeps what we read: found once, so that a poll is a handful of requests. */
import type { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import { type Asker, type Layout, members, once, read } from './asker.ts'
import {
  chassisResource,
  collection,
  type LogService,
  type link,
  logServiceResource,
  managerResource,
  powerSubsystem,
  type System,
  systemResource,
  thermalSubsystem,
} from './resources.ts'

const SYSTEMS = '/redfish/v1/Systems'
const CHASSIS = '/redfish/v1/Chassis'
const MANAGERS = '/redfish/v1/Managers'
/** A node in an enclosure has two or three: its own comes first, and the one with fans counts. */
const CHASSIS_LIMIT = 8

export function layoutOf(asker: Asker): Promise<Layout> {
  return once(asker.known, 'layout', () => explore(asker))
}

export async function systemOf(asker: Asker): Promise<System> {
  return read(asker, 'read the system', (await layoutOf(asker)).system, systemResource)
}

async function explore(asker: Asker): Promise<Layout> {
  const system = await findSystem(asker)
  const chassis = await findChassis(asker, system)
  const [manager] = await linked(asker, system.Links?.ManagedBy, MANAGERS)
  const managerLogs =
    manager === undefined ? undefined : await read(asker, 'read the manager', manager, managerResource)
  const places = [system.LogServices, managerLogs?.LogServices, chassis?.LogServices]
  return {
    system: system['@odata.id'],
    chassis: chassis?.['@odata.id'],
    manager,
    fans: await fansAt(asker, chassis),
    supplies: await suppliesAt(asker, chassis),
    log: await findLog(asker, places),
  }
}

async function findSystem(asker: Asker): Promise<System> {
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

type Chassis = z.infer<typeof chassisResource>
type Links = readonly z.infer<typeof link>[] | null | undefined

/** What a resource links to, else all that the service has. */
async function linked(asker: Asker, links: Links, all: string): Promise<readonly string[]> {
  if (links && links.length > 0) return links.map((one) => one['@odata.id'])
  const found = await asker.client.find(`list ${all}`, all)
  const listed = collection.safeParse(found?.resource)
  return listed.success ? listed.data.Members.map((one) => one['@odata.id']) : []
}

async function findChassis(asker: Asker, system: System): Promise<Chassis | undefined> {
  let first: Chassis | undefined
  for (const path of (await linked(asker, system.Links?.Chassis, CHASSIS)).slice(0, CHASSIS_LIMIT)) {
    const chassis = await read(asker, 'read the chassis', path, chassisResource)
    first ??= chassis
    if (chassis.ThermalSubsystem || chassis.Thermal) return chassis
  }
  return first
}

/** The newer form where it is, the older else: Thermal is deprecated since 2020 and both are kept by many. */
async function fansAt(asker: Asker, chassis: Chassis | undefined): Promise<Layout['fans']> {
  const { ThermalSubsystem, Thermal } = chassis ?? {}
  if (ThermalSubsystem) {
    const path = ThermalSubsystem['@odata.id']
    const { Fans, ThermalMetrics } = await read(asker, 'read the cooling', path, thermalSubsystem)
    if (Fans) return { is: 'subsystem', path, fans: Fans['@odata.id'], metrics: ThermalMetrics?.['@odata.id'] }
  }
  return Thermal ? { is: 'thermal', path: Thermal['@odata.id'] } : undefined
}

async function suppliesAt(asker: Asker, chassis: Chassis | undefined): Promise<Layout['supplies']> {
  const { PowerSubsystem, Power } = chassis ?? {}
  if (PowerSubsystem) {
    const { PowerSupplies } = await read(asker, 'read the power', PowerSubsystem['@odata.id'], powerSubsystem)
    if (PowerSupplies) return { is: 'subsystem', path: PowerSupplies['@odata.id'] }
  }
  return Power ? { is: 'power', path: Power['@odata.id'] } : undefined
}

async function findLog(asker: Asker, places: readonly (z.infer<typeof link> | null | undefined)[]) {
  const services: LogService[] = []
  for (const place of places) {
    if (!place) continue
    services.push(...(await members(asker, 'list the logs', place['@odata.id'], logServiceResource)))
  }
  return preferredLog(services)
}

/**
 * The one log that holds what happened to the hardware, and each edge once. iDRAC: Sel, not Lclog, which has every sign-in too
 * and the same edges again. iLO: IML at the system, not IEL of the manager or SL of security. Supermicro: Log1 at the system.
 */
function preferredLog(services: readonly LogService[]): LogService | undefined {
  const usable = services.filter(({ Entries, ServiceEnabled }) => Entries && ServiceEnabled !== false)
  const by = (wanted: (service: LogService) => boolean) => usable.find(wanted)
  return (
    by(({ LogEntryType, Id }) => LogEntryType === 'SEL' || /^sel$/i.test(Id)) ??
    by(({ Id }) => /^(IML|Log1|EventLog|Event)$/i.test(Id)) ??
    by(({ Id, LogEntryType }) => LogEntryType === 'Event' && !OTHER_LOGS.test(Id)) ??
    by(({ Id }) => !OTHER_LOGS.test(Id))
  )
}

/** Sign-ins, dumps, boot codes and the operating system's own. */
const OTHER_LOGS = /^(IEL|SL|audit|security|dump|crash|post|journal|hostlogger|faultlist|maintenance)/i
