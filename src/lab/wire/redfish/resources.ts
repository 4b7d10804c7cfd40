/** The simulated chassis as Redfish resources, under DMTF's published schema names. */
import { FAN_THRESHOLDS, ledIsOn, powerIsOn } from '#lab/world/bmc'
import type { SelRecord, World, WorldFan, WorldNode, WorldSensor } from '#lab/world/state'

export type RedfishResource = Readonly<Record<string, unknown>>

/** Half of the fleet speaks Thermal, as BMCs did before 2020; the rest ThermalSubsystem, with Thermal beside it as firmware keeps it. */
export type Dialect = { readonly oldThermal: boolean }

export const ROOT = '/redfish/v1'
export const SYSTEM = `${ROOT}/Systems/1`
const CHASSIS = `${ROOT}/Chassis/1`
const MANAGER = `${ROOT}/Managers/1`
export const SEL = `${SYSTEM}/LogServices/SEL`
const ENTRIES_A_PAGE = 50
const MIB = 2 ** 20

const link = (path: string) => ({ '@odata.id': path })
const resource = (path: string, type: string, body: RedfishResource): RedfishResource => ({
  '@odata.id': path,
  '@odata.type': type,
  Id: path.split('/').at(-1),
  Name: path.split('/').at(-1),
  ...body,
})
const collection = (path: string, members: readonly string[]): RedfishResource => ({
  '@odata.id': path,
  Name: path.split('/').at(-1),
  Members: members.map(link),
  'Members@odata.count': members.length,
})

type Look = { readonly world: World; readonly node: WorldNode; readonly dialect: Dialect }

/** Undefined: 404. `skip` pages through the log. */
export function resourceAt(look: Look, path: string, skip: number): RedfishResource | undefined {
  return top(look, path) ?? inventory(look, path) ?? thermal(look, path) ?? logs(look, path, skip)
}

function top({ world, node, dialect }: Look, path: string): RedfishResource | undefined {
  switch (path) {
    case ROOT:
      return {
        ...resource(ROOT, '#ServiceRoot.v1_15_0.ServiceRoot', { RedfishVersion: '1.17.0', UUID: node.systemUuid }),
        Systems: link(`${ROOT}/Systems`),
        Chassis: link(`${ROOT}/Chassis`),
        Managers: link(`${ROOT}/Managers`),
      }
    case `${ROOT}/Systems`:
      return collection(path, [SYSTEM])
    case `${ROOT}/Chassis`:
      return collection(path, [CHASSIS])
    case `${ROOT}/Managers`:
      return collection(path, [MANAGER])
    case SYSTEM:
      return system(world, node, dialect)
    case CHASSIS:
      return resource(CHASSIS, '#Chassis.v1_23_0.Chassis', {
        SerialNumber: node.serial,
        Thermal: link(`${CHASSIS}/Thermal`),
        Power: link(`${CHASSIS}/Power`),
        ...(dialect.oldThermal
          ? {}
          : {
              ThermalSubsystem: link(`${CHASSIS}/ThermalSubsystem`),
              PowerSubsystem: link(`${CHASSIS}/PowerSubsystem`),
            }),
      })
    case MANAGER:
      return resource(MANAGER, '#Manager.v1_19_0.Manager', {
        FirmwareVersion: node.bmc.firmware,
        ...(node.bmc.resetAtMs === undefined ? {} : { LastResetTime: new Date(node.bmc.resetAtMs).toISOString() }),
      })
    default:
      return undefined
  }
}

const POLICIES = { 'always-on': 'AlwaysOn', 'always-off': 'AlwaysOff', previous: 'LastState' } as const

function system(world: World, node: WorldNode, dialect: Dialect): RedfishResource {
  const lit = ledIsOn(world, node)
  return resource(SYSTEM, '#ComputerSystem.v1_21_0.ComputerSystem', {
    UUID: node.systemUuid,
    SerialNumber: node.serial,
    Model: node.model,
    HostName: node.name,
    PowerState: powerIsOn(node) ? 'On' : 'Off',
    PowerRestorePolicy: POLICIES[node.powerRestorePolicy],
    ...(dialect.oldThermal ? { IndicatorLED: lit ? 'Blinking' : 'Off' } : { LocationIndicatorActive: lit }),
    Memory: link(`${SYSTEM}/Memory`),
    Storage: link(`${SYSTEM}/Storage`),
    PCIeDevices: known(node.hardware.pcie).map(({ slot }) => link(`${SYSTEM}/PCIeDevices/${encodeURIComponent(slot)}`)),
    LogServices: link(`${SYSTEM}/LogServices`),
    Links: { Chassis: [link(CHASSIS)], ManagedBy: [link(MANAGER)] },
    Actions: {
      '#ComputerSystem.Reset': {
        target: `${SYSTEM}/Actions/ComputerSystem.Reset`,
        'ResetType@Redfish.AllowableValues': ['On', 'ForceOff', 'GracefulShutdown'],
      },
    },
  })
}

const known = <T>(list: readonly T[] | 'unknown'): readonly T[] => (list === 'unknown' ? [] : list)

function inventory({ node }: Look, path: string): RedfishResource | undefined {
  const { dimms, disks, pcie } = node.hardware
  const id = decodeURIComponent(path.split('/').at(-1) ?? '')
  const under = (folder: string) => path === `${SYSTEM}/${folder}/${encodeURIComponent(id)}`
  if (path === `${SYSTEM}/Memory`)
    return collection(
      path,
      known(dimms).map(({ slot }) => `${path}/${slot}`),
    )
  const dimm = under('Memory') ? known(dimms).find(({ slot }) => slot === id) : undefined
  if (dimm) {
    const body = { DeviceLocator: dimm.slot, CapacityMiB: dimm.bytes / MIB, Status: { State: 'Enabled', Health: 'OK' } }
    return resource(path, '#Memory.v1_17_0.Memory', body)
  }
  if (path === `${SYSTEM}/Storage`) return collection(path, [`${path}/1`])
  if (path === `${SYSTEM}/Storage/1`) {
    const Drives = known(disks).map(({ serial }) => link(`${path}/Drives/${serial}`))
    return resource(path, '#Storage.v1_15_0.Storage', { Drives, 'Drives@odata.count': Drives.length })
  }
  const disk = under('Storage/1/Drives') ? known(disks).find(({ serial }) => serial === id) : undefined
  if (disk) return resource(path, '#Drive.v1_17_0.Drive', { SerialNumber: disk.serial, CapacityBytes: disk.bytes })
  const device = under('PCIeDevices') ? known(pcie).find(({ slot }) => slot === id) : undefined
  if (device === undefined) return undefined
  return resource(path, '#PCIeDevice.v1_11_0.PCIeDevice', {
    Id: device.slot,
    PCIeInterface: { LanesInUse: device.width },
  })
}

function thermal({ node, dialect }: Look, path: string): RedfishResource | undefined {
  const on = powerIsOn(node)
  const supplies = node.sensors.filter(({ kind }) => kind === 'psu')
  const fans = `${CHASSIS}/ThermalSubsystem/Fans`
  const psus = `${CHASSIS}/PowerSubsystem/PowerSupplies`
  if (path === `${CHASSIS}/Thermal`) return oldThermal(node, on)
  if (path === `${CHASSIS}/Power`) {
    const PowerSupplies = supplies.map((sensor) => ({ Name: sensor.part, Status: sensorStatus(sensor) }))
    return resource(path, '#Power.v1_7_1.Power', { PowerSupplies })
  }
  if (dialect.oldThermal) return undefined
  if (path === `${CHASSIS}/ThermalSubsystem`)
    return resource(path, '#ThermalSubsystem.v1_3_0.ThermalSubsystem', { Fans: link(fans) })
  if (path === fans)
    return collection(
      fans,
      node.fans.map(({ part }) => `${fans}/${part}`),
    )
  const fan = node.fans.find(({ part }) => path === `${fans}/${part}`)
  if (fan) {
    const SpeedPercent = { Reading: Math.round((100 * fan.rpm) / fan.nominalRpm), SpeedRPM: on ? fan.rpm : null }
    return resource(path, '#Fan.v1_5_0.Fan', { SpeedPercent, Status: fanStatus(fan, on) })
  }
  if (path === `${CHASSIS}/PowerSubsystem`)
    return resource(path, '#PowerSubsystem.v1_1_0.PowerSubsystem', { PowerSupplies: link(psus) })
  if (path === psus)
    return collection(
      psus,
      supplies.map(({ part }) => `${psus}/${part}`),
    )
  const supply = supplies.find(({ part }) => path === `${psus}/${part}`)
  return supply && resource(path, '#PowerSupply.v1_5_0.PowerSupply', { Status: sensorStatus(supply) })
}

function oldThermal(node: WorldNode, on: boolean): RedfishResource {
  const temperatures = node.sensors.filter(({ kind }) => kind === 'temperature')
  return resource(`${CHASSIS}/Thermal`, '#Thermal.v1_7_1.Thermal', {
    Fans: node.fans.map((fan) => ({
      MemberId: fan.part,
      Name: fan.part,
      Reading: on ? fan.rpm : null,
      ReadingUnits: 'RPM',
      LowerThresholdNonCritical: FAN_THRESHOLDS[0].rpm,
      LowerThresholdCritical: FAN_THRESHOLDS[1].rpm,
      LowerThresholdFatal: FAN_THRESHOLDS[2].rpm,
      Status: fanStatus(fan, on),
    })),
    Temperatures: temperatures.map((sensor) => ({
      MemberId: sensor.part,
      Name: sensor.part,
      ReadingCelsius: sensor.value,
      Status: sensorStatus(sensor),
    })),
  })
}

/** Without power a fan has no reading; that is not a fan at rest. */
function fanStatus({ rpm }: WorldFan, on: boolean) {
  if (!on) return { State: 'StandbyOffline' }
  if (rpm < FAN_THRESHOLDS[1].rpm) return { State: 'Enabled', Health: 'Critical' }
  return { State: 'Enabled', Health: rpm < FAN_THRESHOLDS[0].rpm ? 'Warning' : 'OK' }
}

const HEALTH = { ok: 'OK', warning: 'Warning', critical: 'Critical', 'non-recoverable': 'Critical' } as const
const sensorStatus = ({ state }: WorldSensor) => ({ State: 'Enabled', Health: HEALTH[state] })

function logs({ node }: Look, path: string, skip: number): RedfishResource | undefined {
  if (path === `${SYSTEM}/LogServices`) return collection(path, [SEL])
  if (path === SEL) {
    return resource(SEL, '#LogService.v1_5_0.LogService', {
      LogEntryType: 'SEL',
      MaxNumberOfRecords: node.bmc.selCapacity,
      Entries: link(`${SEL}/Entries`),
      Actions: { '#LogService.ClearLog': { target: `${SEL}/Actions/LogService.ClearLog` } },
    })
  }
  if (path !== `${SEL}/Entries`) return undefined
  const page = node.bmc.sel.slice(skip, skip + ENTRIES_A_PAGE)
  const next =
    skip + page.length < node.bmc.sel.length ? { 'Members@odata.nextLink': `${path}?$skip=${skip + page.length}` } : {}
  return {
    ...collection(path, []),
    Members: page.map((record) => logEntry(path, record)),
    'Members@odata.count': node.bmc.sel.length,
    ...next,
  }
}

const SENSOR_TYPES: Readonly<Record<SelRecord['kind'], string>> = {
  fan: 'Fan',
  psu: 'Power Supply / Converter',
  temperature: 'Temperature',
  memory: 'Memory',
  log: 'Event Logging Disabled',
  other: 'Management Subsystem Health',
}

/** 'Lower Critical going low' is 'Lower Critical - going low' among Redfish's entry codes; the edge stands in the message. */
function logEntry(path: string, record: SelRecord): RedfishResource {
  const direction = record.asserted ? 'Asserted' : 'Deasserted'
  const reading =
    record.value === undefined ? '' : `: reading ${record.value} ${record.unit ?? ''}, threshold ${record.threshold}`
  return resource(`${path}/${record.id}`, '#LogEntry.v1_15_0.LogEntry', {
    EntryType: 'SEL',
    // A BMC whose clock is not set counts from 1970.
    Created: new Date(record.atMs === 'pre-init' ? 0 : record.atMs).toISOString(),
    Severity: record.asserted ? HEALTH[record.severity] : 'OK',
    SensorType: SENSOR_TYPES[record.kind],
    EntryCode: record.event.replace(' going', ' - going'),
    Message: `${record.sensor} ${record.event} ${direction}${reading}`,
    MessageArgs: [record.sensor],
  })
}
