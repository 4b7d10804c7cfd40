/** Redfish resources as far as we read them (DMTF DSP0268), newer and older forms, and their translation. Pure. */
import { z } from 'zod'
import type { PartKind, PartState } from '#domain/signal'
import type { FanReading, Power } from '#ports/bmc'

export const link = z.object({ '@odata.id': z.string() })
export const collection = z.object({ Members: z.array(link), 'Members@odata.nextLink': z.string().optional() })

export const serviceRoot = z.object({
  ProtocolFeaturesSupported: z
    .object({
      ExpandQuery: z
        .object({ NoLinks: z.boolean().nullish(), ExpandAll: z.boolean().nullish(), Levels: z.boolean().nullish() })
        .nullish(),
    })
    .nullish(),
  EventService: link.nullish(),
})

const resetAction = z.object({
  target: z.string(),
  'ResetType@Redfish.AllowableValues': z.array(z.string()).nullish(),
  '@Redfish.ActionInfo': z.string().nullish(),
})

export const systemResource = z.object({
  '@odata.id': z.string(),
  UUID: z.string().nullish(),
  SerialNumber: z.string().nullish(),
  AssetTag: z.string().nullish(),
  PowerState: z.string().nullish(),
  PowerRestorePolicy: z.string().nullish(),
  LocationIndicatorActive: z.boolean().nullish(),
  IndicatorLED: z.string().nullish(),
  'IndicatorLED@Redfish.AllowableValues': z.array(z.string()).nullish(),
  Actions: z.object({ '#ComputerSystem.Reset': resetAction.optional() }).nullish(),
  Memory: link.nullish(),
  Storage: link.nullish(),
  PCIeDevices: z.array(link).nullish(),
  LogServices: link.nullish(),
  Links: z.object({ Chassis: z.array(link).nullish(), ManagedBy: z.array(link).nullish() }).nullish(),
})
export type System = z.infer<typeof systemResource>

/** The values that an action takes, where they are not told with the action itself. */
export const actionInfo = z.object({
  Parameters: z.array(z.object({ Name: z.string(), AllowableValues: z.array(z.string()).nullish() })).default([]),
})

export const chassisResource = z.object({
  '@odata.id': z.string(),
  ThermalSubsystem: link.nullish(),
  Thermal: link.nullish(),
  PowerSubsystem: link.nullish(),
  Power: link.nullish(),
  LogServices: link.nullish(),
})

export const managerResource = z.object({
  LastResetTime: z.string().nullish(),
  DateTime: z.string().nullish(),
  LogServices: link.nullish(),
})

export const logServiceResource = z.object({
  '@odata.id': z.string(),
  Id: z.string(),
  LogEntryType: z.string().nullish(),
  ServiceEnabled: z.boolean().nullish(),
  MaxNumberOfRecords: z.number().nullish(),
  OverWritePolicy: z.string().nullish(),
  Entries: link.nullish(),
})
export type LogService = z.infer<typeof logServiceResource>

const status = z.object({ State: z.string().nullish(), Health: z.string().nullish() }).nullish()

export const thermalSubsystem = z.object({
  Fans: link.nullish(),
  ThermalMetrics: link.nullish(),
  Status: z.object({ Health: z.string().nullish(), HealthRollup: z.string().nullish() }).nullish(),
})
export const thermalMetrics = z.object({
  TemperatureReadingsCelsius: z.array(z.object({ DataSourceUri: z.string().nullish() })).nullish(),
})
/** Chassis/{id}/Sensors/{id} */
export const sensorResource = z.object({
  Id: z.string().nullish(),
  Name: z.string().nullish(),
  Reading: z.number().nullish(),
  Status: status,
})
export const powerSubsystem = z.object({ PowerSupplies: link.nullish() })

/** ThermalSubsystem/Fans/{id} */
export const fanResource = z.object({
  Id: z.string(),
  Name: z.string().nullish(),
  Status: status,
  SpeedPercent: z.object({ Reading: z.number().nullish(), SpeedRPM: z.number().nullish() }).nullish(),
})

const oldReading = z.object({
  MemberId: z.string().nullish(),
  Name: z.string().nullish(),
  FanName: z.string().nullish(),
  Reading: z.number().nullish(),
  ReadingUnits: z.string().nullish(),
  ReadingCelsius: z.number().nullish(),
  Status: status,
})
/** Chassis/{id}/Thermal, of before 2020. */
export const thermalResource = z.object({
  Fans: z.array(oldReading).default([]),
  Temperatures: z.array(oldReading).default([]),
})

export const powerResource = z.object({
  PowerSupplies: z.array(z.object({ Name: z.string().nullish(), Status: status })).default([]),
})
export const powerSupplyResource = z.object({ Id: z.string(), Name: z.string().nullish(), Status: status })

export const memoryResource = z.object({
  Id: z.string(),
  DeviceLocator: z.string().nullish(),
  CapacityMiB: z.number().nullish(),
  Status: status,
})
export const storageResource = z.object({ Drives: z.array(link).default([]) })
export const driveResource = z.object({ SerialNumber: z.string().nullish(), CapacityBytes: z.number().nullish() })
export const pcieResource = z.object({
  Id: z.string(),
  PCIeInterface: z.object({ LanesInUse: z.number().nullish() }).nullish(),
})

export type Part = {
  readonly part: string
  readonly kind: PartKind
  readonly state: PartState
  readonly value?: number
  readonly unit?: string
}

type Status = z.infer<typeof status>

function stateOf(told: Status, reading: number | null | undefined): PartState {
  if (told?.State === 'Absent') return 'absent'
  if (/^(Unavailable|Disabled|StandbyOffline)/.test(told?.State ?? '')) return 'unreadable'
  if (told?.Health === 'Critical') return 'critical'
  if (told?.Health === 'Warning') return 'warning'
  return reading === null ? 'unreadable' : 'ok'
}

export function newFan(fan: z.infer<typeof fanResource>): Part {
  const rpm = fan.SpeedPercent?.SpeedRPM
  return asFan(fan.Name ?? fan.Id, stateOf(fan.Status, rpm), rpm)
}

export function oldFan(fan: z.infer<typeof oldReading>): Part {
  // iLO tells how hard it drives a fan, in percent: that is no speed.
  const rpm = fan.ReadingUnits?.startsWith('Percent') ? undefined : fan.Reading
  return asFan(fan.Name ?? fan.FanName ?? fan.MemberId ?? 'fan', stateOf(fan.Status, fan.Reading), rpm)
}

/** Redfish knows nothing worse than Critical. A fan that stands still is below every threshold that a BMC may have. */
function asFan(part: string, state: PartState, rpm: number | null | undefined): Part {
  const read = typeof rpm === 'number' ? { value: rpm, unit: 'RPM' } : {}
  return { part, kind: 'fan', state: state === 'critical' && rpm === 0 ? 'non-recoverable' : state, ...read }
}

export const oldTemperature = (one: z.infer<typeof oldReading>): Part => ({
  part: one.Name ?? 'temperature',
  kind: 'temperature',
  state: stateOf(one.Status, one.ReadingCelsius),
  ...(typeof one.ReadingCelsius === 'number' ? { value: one.ReadingCelsius, unit: 'degrees C' } : {}),
})

export const sensor = (one: z.infer<typeof sensorResource>): Part => ({
  part: one.Name ?? one.Id ?? 'temperature',
  kind: 'temperature',
  state: stateOf(one.Status, one.Reading),
  ...(typeof one.Reading === 'number' ? { value: one.Reading, unit: 'degrees C' } : {}),
})

export const supply = (one: {
  readonly Id?: string
  readonly Name?: string | null | undefined
  readonly Status?: Status
}): Part => ({
  part: one.Name ?? one.Id ?? 'power supply',
  kind: 'psu',
  state: stateOf(one.Status, undefined),
})

export function toFanReading({ part, state, value }: Part): FanReading {
  const rpm = value ?? 'unknown'
  if (state === 'absent' || state === 'unreadable') return { part, state, rpm }
  return { part, state: state === 'ok' ? 'ok' : 'low', rpm }
}

/** Anything but Off is not off: PoweringOff has still current in it. */
export function toPower(state: string | null | undefined): Power {
  if (state === 'Off') return { is: 'off' }
  if (state === null || state === undefined) return { is: 'unknown', reason: 'the BMC does not say' }
  return { is: 'on' }
}

const POLICIES = { AlwaysOn: 'always-on', AlwaysOff: 'always-off', LastState: 'previous' } as const
export const toRestorePolicy = (policy: string | null | undefined) =>
  policy === 'AlwaysOn' || policy === 'AlwaysOff' || policy === 'LastState' ? POLICIES[policy] : ('unknown' as const)
