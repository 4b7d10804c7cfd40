/** Redfish resources as far as we read them (DMTF DSP0268), newer and older forms, and their translation. Pure. */
import { z } from 'zod'
import type { PartKind, PartState } from '#domain/signal'
import type { FanReading, Power } from '#ports/bmc'

export const link = z.object({ '@odata.id': z.string() })
export const collection = z.object({ Members: z.array(link), 'Members@odata.nextLink': z.string().optional() })

export const systemResource = z.object({
  '@odata.id': z.string(),
  UUID: z.string().nullish(),
  SerialNumber: z.string().nullish(),
  AssetTag: z.string().nullish(),
  PowerState: z.string().nullish(),
  PowerRestorePolicy: z.string().nullish(),
  LocationIndicatorActive: z.boolean().nullish(),
  IndicatorLED: z.string().nullish(),
  Actions: z.object({ '#ComputerSystem.Reset': z.object({ target: z.string() }).optional() }).optional(),
  Memory: link.optional(),
  Storage: link.optional(),
  PCIeDevices: z.array(link).optional(),
  LogServices: link.optional(),
  Links: z.object({ Chassis: z.array(link).optional(), ManagedBy: z.array(link).optional() }).optional(),
})

export const chassisResource = z.object({
  ThermalSubsystem: link.optional(),
  Thermal: link.optional(),
  PowerSubsystem: link.optional(),
  Power: link.optional(),
})

export const managerResource = z.object({ LastResetTime: z.string().nullish(), LogServices: link.optional() })
export const logServiceResource = z.object({ Id: z.string(), LogEntryType: z.string().nullish(), Entries: link })

const status = z.object({ State: z.string().nullish(), Health: z.string().nullish() }).nullish()

/** ThermalSubsystem/Fans/{id} */
export const fanResource = z.object({
  Id: z.string(),
  Name: z.string().nullish(),
  Status: status,
  SpeedPercent: z.object({ Reading: z.number().nullish(), SpeedRPM: z.number().nullish() }).nullish(),
})

const oldReading = z.object({
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
  const rpm = fan.ReadingUnits === 'Percent' ? undefined : fan.Reading
  return asFan(fan.Name ?? fan.FanName ?? 'fan', stateOf(fan.Status, fan.Reading), rpm)
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
