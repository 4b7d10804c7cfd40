/** The simulated chassis as Redfish resources, under DMTF's published schema names and each maker's paths. */
import { FAN_THRESHOLDS, ledIsOn, powerIsOn, shownSel } from '#lab/world/bmc'
import type { World, WorldFan, WorldNode, WorldSensor } from '#lab/world/state'
import { entriesOf } from './log-entries.ts'
import type { Vendor } from './vendors.ts'

export type RedfishResource = Readonly<Record<string, unknown>>
export type Query = { readonly skip: number; readonly expand: boolean }

export const ROOT = '/redfish/v1'
/** The one user of the lab's BMCs. */
export const USER = 'coulisse'
const ACCOUNTS = `${ROOT}/AccountService/Accounts`
const ENTRIES_A_PAGE = 50
const MIB = 2 ** 20

export type Paths = {
  readonly system: string
  readonly chassis: string
  readonly manager: string
  readonly log: string
  readonly events: string
}

export function pathsOf(vendor: Vendor): Paths {
  const system = `${ROOT}/Systems/${vendor.systemId}`
  const manager = `${ROOT}/Managers/${vendor.managerId}`
  return {
    system,
    manager,
    chassis: `${ROOT}/Chassis/${vendor.chassisId}`,
    log: `${vendor.log.of === 'system' ? system : manager}/LogServices/${vendor.log.id}`,
    events: `${ROOT}/EventService`,
  }
}

export type Look = {
  readonly world: World
  readonly node: WorldNode
  readonly vendor: Vendor
  readonly paths: Paths
  readonly query: Query
}

/** Undefined: 404. `path` is without the maker's slash at its end. */
export function resourceAt(look: Look, path: string): RedfishResource | undefined {
  return top(look, path) ?? inventory(look, path) ?? cooling(look, path) ?? power(look, path) ?? logs(look, path)
}

const link = ({ vendor }: Look, path: string) => ({ '@odata.id': `${path}${vendor.slash}` })

function resource(look: Look, path: string, type: string, body: RedfishResource): RedfishResource {
  const name = path.split('/').at(-1)
  return { ...link(look, path), '@odata.type': type, Id: name, Name: name, ...body }
}

/** With $expand the members themselves, where the service knows it. */
function collection(look: Look, path: string, members: readonly string[]): RedfishResource {
  const { query, vendor } = look
  const member = (one: string) =>
    (query.expand && vendor.expands ? resourceAt(look, one) : undefined) ?? link(look, one)
  return {
    ...link(look, path),
    Name: path.split('/').at(-1),
    Members: members.map(member),
    'Members@odata.count': members.length,
  }
}

function top(look: Look, path: string): RedfishResource | undefined {
  const { node, vendor, paths } = look
  switch (path) {
    case ROOT:
      return {
        ...resource(look, ROOT, '#ServiceRoot.v1_15_0.ServiceRoot', {
          RedfishVersion: '1.17.0',
          UUID: node.systemUuid,
        }),
        Vendor: vendor.vendor,
        ProtocolFeaturesSupported: {
          ExpandQuery: { NoLinks: vendor.expands, ExpandAll: vendor.expands, Levels: vendor.expands },
        },
        Systems: link(look, `${ROOT}/Systems`),
        Chassis: link(look, `${ROOT}/Chassis`),
        Managers: link(look, `${ROOT}/Managers`),
        EventService: link(look, paths.events),
      }
    case `${ROOT}/Systems`:
      return collection(look, path, [paths.system])
    case `${ROOT}/Chassis`:
      return collection(look, path, [paths.chassis])
    case `${ROOT}/Managers`:
      return collection(look, path, [paths.manager])
    case paths.system:
      return system(look)
    case `${paths.system}/ResetActionInfo`:
      return resource(look, path, '#ActionInfo.v1_3_0.ActionInfo', {
        Parameters: [{ Name: 'ResetType', Required: true, DataType: 'String', AllowableValues: vendor.resetTypes }],
      })
    case paths.chassis:
      return chassis(look)
    case paths.manager:
      return manager(look)
    case ACCOUNTS:
      return collection(look, path, [`${ACCOUNTS}/2`])
    case `${ACCOUNTS}/2`:
      return resource(look, path, '#ManagerAccount.v1_11_0.ManagerAccount', { UserName: USER, RoleId: 'Operator' })
    default:
      return undefined
  }
}

function chassis(look: Look): RedfishResource {
  const { chassis: path } = look.paths
  const subsystems = {
    ThermalSubsystem: link(look, `${path}/ThermalSubsystem`),
    PowerSubsystem: link(look, `${path}/PowerSubsystem`),
  }
  return resource(look, path, '#Chassis.v1_23_0.Chassis', {
    SerialNumber: look.node.serial,
    Thermal: link(look, `${path}/Thermal`),
    Power: link(look, `${path}/Power`),
    ...(look.vendor.hasSubsystems ? subsystems : {}),
  })
}

function manager(look: Look): RedfishResource {
  const { node, world, paths } = look
  const { bmc } = node
  return resource(look, paths.manager, '#Manager.v1_19_0.Manager', {
    FirmwareVersion: bmc.firmware,
    DateTime: new Date(world.nowMs + bmc.clockOffsetMs).toISOString(),
    LogServices: link(look, `${paths.manager}/LogServices`),
    ...(bmc.resetAtMs === undefined ? {} : { LastResetTime: new Date(bmc.resetAtMs).toISOString() }),
  })
}

const POLICIES = { 'always-on': 'AlwaysOn', 'always-off': 'AlwaysOff', previous: 'LastState' } as const

function system(look: Look): RedfishResource {
  const { world, node, vendor, paths } = look
  const { system: path } = paths
  const lit = ledIsOn(world, node)
  const led = {
    IndicatorLED: lit ? (vendor.ledValues[0] ?? 'Lit') : 'Off',
    'IndicatorLED@Redfish.AllowableValues': vendor.ledValues,
  }
  const types =
    vendor.resetTypesIn === 'action'
      ? { 'ResetType@Redfish.AllowableValues': vendor.resetTypes }
      : { '@Redfish.ActionInfo': `${path}/ResetActionInfo` }
  return resource(look, path, '#ComputerSystem.v1_21_0.ComputerSystem', {
    UUID: node.systemUuid,
    SerialNumber: node.serial,
    Model: node.model,
    HostName: node.name,
    PowerState: powerIsOn(node) ? 'On' : 'Off',
    PowerRestorePolicy: POLICIES[node.powerRestorePolicy],
    ...(vendor.locate === 'IndicatorLED' ? led : { LocationIndicatorActive: lit }),
    Memory: link(look, `${path}/Memory`),
    Storage: link(look, `${path}/Storage`),
    PCIeDevices: known(node.hardware.pcie).map(({ slot }) =>
      link(look, `${path}/PCIeDevices/${encodeURIComponent(slot)}`),
    ),
    LogServices: link(look, `${path}/LogServices`),
    Links: { Chassis: [link(look, paths.chassis)], ManagedBy: [link(look, paths.manager)] },
    Actions: { '#ComputerSystem.Reset': { target: `${path}/Actions/ComputerSystem.Reset`, ...types } },
  })
}

const known = <T>(list: readonly T[] | 'unknown'): readonly T[] => (list === 'unknown' ? [] : list)

function inventory(look: Look, path: string): RedfishResource | undefined {
  const { dimms, disks, pcie } = look.node.hardware
  const { system: base } = look.paths
  const id = decodeURIComponent(path.split('/').at(-1) ?? '')
  const under = (folder: string) => path === `${base}/${folder}/${encodeURIComponent(id)}`
  if (path === `${base}/Memory`) {
    const slots = known(dimms).map(({ slot }) => `${path}/${slot}`)
    return collection(look, path, slots)
  }
  const dimm = under('Memory') ? known(dimms).find(({ slot }) => slot === id) : undefined
  if (dimm) {
    const body = { DeviceLocator: dimm.slot, CapacityMiB: dimm.bytes / MIB, Status: { State: 'Enabled', Health: 'OK' } }
    return resource(look, path, '#Memory.v1_17_0.Memory', body)
  }
  if (path === `${base}/Storage`) return collection(look, path, [`${path}/1`])
  if (path === `${base}/Storage/1`) {
    const Drives = known(disks).map(({ serial }) => link(look, `${path}/Drives/${serial}`))
    return resource(look, path, '#Storage.v1_15_0.Storage', { Drives, 'Drives@odata.count': Drives.length })
  }
  const disk = under('Storage/1/Drives') ? known(disks).find(({ serial }) => serial === id) : undefined
  if (disk)
    return resource(look, path, '#Drive.v1_17_0.Drive', { SerialNumber: disk.serial, CapacityBytes: disk.bytes })
  const device = under('PCIeDevices') ? known(pcie).find(({ slot }) => slot === id) : undefined
  if (device === undefined) return undefined
  const body = { Id: device.slot, PCIeInterface: { LanesInUse: device.width } }
  return resource(look, path, '#PCIeDevice.v1_11_0.PCIeDevice', body)
}

const temperatures = ({ node }: Look) => node.sensors.filter(({ kind }) => kind === 'temperature')

function cooling(look: Look, path: string): RedfishResource | undefined {
  const { node, vendor, paths } = look
  const on = powerIsOn(node)
  const base = `${paths.chassis}/ThermalSubsystem`
  const sensors = `${paths.chassis}/Sensors`
  if (path === `${paths.chassis}/Thermal`) return thermal(look)
  if (!vendor.hasSubsystems) return undefined
  if (path === base) {
    const Health = temperatures(look).every(({ state }) => state === 'ok') ? 'OK' : 'Critical'
    const body = { Status: { State: 'Enabled', Health }, Fans: link(look, `${base}/Fans`) }
    const ThermalMetrics = link(look, `${base}/ThermalMetrics`)
    return resource(look, path, '#ThermalSubsystem.v1_3_0.ThermalSubsystem', { ...body, ThermalMetrics })
  }
  if (path === `${base}/ThermalMetrics`) {
    const TemperatureReadingsCelsius = temperatures(look).map(({ part, value }) => ({
      DeviceName: part,
      Reading: value,
      DataSourceUri: `${sensors}/${part}`,
    }))
    return resource(look, path, '#ThermalMetrics.v1_3_0.ThermalMetrics', { TemperatureReadingsCelsius })
  }
  const hot = temperatures(look).find(({ part }) => path === `${sensors}/${part}`)
  if (hot) {
    const body = { ReadingType: 'Temperature', Reading: hot.value, ReadingUnits: 'Cel', Status: sensorStatus(hot) }
    return resource(look, path, '#Sensor.v1_8_0.Sensor', body)
  }
  const fans = node.fans.map(({ part }) => `${base}/Fans/${part}`)
  if (path === `${base}/Fans`) return collection(look, path, fans)
  const fan = node.fans.find(({ part }) => path === `${base}/Fans/${part}`)
  if (fan === undefined) return undefined
  const SpeedPercent = { Reading: percentOf(fan), SpeedRPM: on ? fan.rpm : null }
  return resource(look, path, '#Fan.v1_5_0.Fan', { SpeedPercent, Status: fanStatus(fan, on) })
}

const percentOf = (fan: WorldFan) => Math.round((100 * fan.rpm) / fan.nominalRpm)

function thermal(look: Look): RedfishResource {
  const { node, vendor, paths } = look
  const on = powerIsOn(node)
  const inRpm = vendor.fanUnits === 'RPM'
  const thresholds = {
    LowerThresholdNonCritical: FAN_THRESHOLDS[0].rpm,
    LowerThresholdCritical: FAN_THRESHOLDS[1].rpm,
    LowerThresholdFatal: FAN_THRESHOLDS[2].rpm,
  }
  return resource(look, `${paths.chassis}/Thermal`, '#Thermal.v1_7_1.Thermal', {
    Fans: node.fans.map((fan, index) => ({
      MemberId: String(index),
      Name: fan.part,
      Reading: on ? (inRpm ? fan.rpm : percentOf(fan)) : null,
      ReadingUnits: vendor.fanUnits,
      ...(inRpm ? thresholds : {}),
      Status: fanStatus(fan, on),
    })),
    Temperatures: temperatures(look).map((sensor, index) => ({
      MemberId: String(index),
      Name: sensor.part,
      ReadingCelsius: sensor.value,
      Status: sensorStatus(sensor),
    })),
  })
}

function power(look: Look, path: string): RedfishResource | undefined {
  const { node, vendor, paths } = look
  const supplies = node.sensors.filter(({ kind }) => kind === 'psu')
  const base = `${paths.chassis}/PowerSubsystem`
  if (path === `${paths.chassis}/Power`) {
    const PowerSupplies = supplies.map((sensor) => ({ Name: sensor.part, Status: sensorStatus(sensor) }))
    return resource(look, path, '#Power.v1_7_1.Power', { PowerSupplies })
  }
  if (!vendor.hasSubsystems) return undefined
  const list = `${base}/PowerSupplies`
  if (path === base)
    return resource(look, path, '#PowerSubsystem.v1_1_0.PowerSubsystem', { PowerSupplies: link(look, list) })
  if (path === list) {
    const members = supplies.map(({ part }) => `${list}/${part}`)
    return collection(look, path, members)
  }
  const supply = supplies.find(({ part }) => path === `${list}/${part}`)
  return supply && resource(look, path, '#PowerSupply.v1_5_0.PowerSupply', { Status: sensorStatus(supply) })
}

/** Without power a fan has no reading; that is not a fan at rest. */
function fanStatus({ rpm }: WorldFan, on: boolean) {
  if (!on) return { State: 'StandbyOffline' }
  if (rpm < FAN_THRESHOLDS[1].rpm) return { State: 'Enabled', Health: 'Critical' }
  return { State: 'Enabled', Health: rpm < FAN_THRESHOLDS[0].rpm ? 'Warning' : 'OK' }
}

const HEALTH = { ok: 'OK', warning: 'Warning', critical: 'Critical', 'non-recoverable': 'Critical' } as const
const sensorStatus = ({ state }: WorldSensor) => ({ State: 'Enabled', Health: HEALTH[state] })

function logs(look: Look, path: string): RedfishResource | undefined {
  const { node, vendor, paths } = look
  for (const owner of ['system', 'manager'] as const) {
    const base = `${paths[owner]}/LogServices`
    const ids = [vendor.log, ...vendor.otherLogs].filter((log) => log.of === owner).map(({ id }) => id)
    // The hardware's own is not the first in the list.
    if (path === base)
      return collection(
        look,
        path,
        ids.toReversed().map((id) => `${base}/${id}`),
      )
    const id = ids.find((one) => path === `${base}/${one}`)
    if (id !== undefined) return logService(look, path, id)
    const other = vendor.otherLogs.find((log) => log.of === owner && path === `${base}/${log.id}/Entries`)
    if (other !== undefined) return collection(look, path, [])
  }
  const entries = `${paths.log}/Entries`
  if (path === entries) return entryPage(look, path)
  const one = entriesOf(vendor, shownSel(look.world, node)).find(({ Id }) => path === `${entries}/${Id}`)
  return one && resource(look, path, '#LogEntry.v1_15_0.LogEntry', one)
}

function logService(look: Look, path: string, id: string): RedfishResource {
  const { log } = look.vendor
  const isOurs = path === look.paths.log
  return resource(look, path, '#LogService.v1_5_0.LogService', {
    Id: id,
    ...(isOurs && log.type !== undefined ? { LogEntryType: log.type } : {}),
    ...(isOurs ? { MaxNumberOfRecords: look.node.bmc.selCapacity } : {}),
    ServiceEnabled: true,
    Entries: link(look, `${path}/Entries`),
    Actions: { '#LogService.ClearLog': { target: `${path}/Actions/LogService.ClearLog` } },
  })
}

function entryPage(look: Look, path: string): RedfishResource {
  const { vendor, node, query, world } = look
  const written = entriesOf(vendor, shownSel(world, node))
  const all = vendor.newestFirst ? written.toReversed() : written
  const page = all.slice(query.skip, query.skip + ENTRIES_A_PAGE)
  const after = query.skip + page.length
  const showsLinks = vendor.listsLinks && !query.expand
  return {
    ...collection(look, path, []),
    Members: page.map((one) => {
      const place = `${path}/${one.Id}`
      return showsLinks ? link(look, place) : resource(look, place, '#LogEntry.v1_15_0.LogEntry', one)
    }),
    'Members@odata.count': all.length,
    ...(after < all.length
      ? { 'Members@odata.nextLink': `${path}?$skip=${after}${query.expand ? '&$expand=.' : ''}` }
      : {}),
  }
}
