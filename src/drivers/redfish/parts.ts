/** Fans, supplies, temperatures and inventory, from the newer and the older resources. */
import type { Known } from '#domain/measured'
import type { Hardware } from '#domain/node'
import { type Asker, members, read } from './asker.ts'
import { layoutOf, systemOf } from './layout.ts'
import {
  driveResource,
  fanResource,
  memoryResource,
  newFan,
  oldFan,
  oldTemperature,
  type Part,
  pcieResource,
  powerResource,
  powerSupplyResource,
  type System,
  sensor,
  sensorResource,
  storageResource,
  supply,
  thermalMetrics,
  thermalResource,
  thermalSubsystem,
} from './resources.ts'

export async function fansOf(asker: Asker): Promise<readonly Part[]> {
  const doing = 'read the fans'
  const { fans } = await layoutOf(asker)
  if (fans?.is === 'subsystem') return (await members(asker, doing, fans.fans, fanResource)).map(newFan)
  if (fans?.is === 'thermal') return (await read(asker, doing, fans.path, thermalResource)).Fans.map(oldFan)
  return []
}

/** Fans, supplies and temperatures. */
export async function partsOf(asker: Asker): Promise<readonly Part[]> {
  const parts = await Promise.all([coolingOf(asker), suppliesOf(asker)])
  return parts.flat()
}

async function coolingOf(asker: Asker): Promise<readonly Part[]> {
  const { fans } = await layoutOf(asker)
  if (fans?.is === 'subsystem') {
    return (await Promise.all([fansOf(asker), hotSensorsOf(asker, fans)])).flat()
  }
  if (fans === undefined) return []
  const { Fans, Temperatures } = await read(asker, 'read fans and temperatures', fans.path, thermalResource)
  return [...Fans.map(oldFan), ...Temperatures.map(oldTemperature)]
}

/** More sensors than any board has. */
const SENSORS_LIMIT = 64

/**
 * ThermalMetrics holds figures without a word on whether they are good: that stands with each sensor. So the sensors are read
 * only while the whole is not well.
 */
async function hotSensorsOf(asker: Asker, cooling: { path: string; metrics: string | undefined }) {
  const doing = 'read the temperatures'
  if (cooling.metrics === undefined) return []
  const { Status } = await read(asker, doing, cooling.path, thermalSubsystem)
  const health = Status?.HealthRollup ?? Status?.Health
  if (health === 'OK') return []
  const { TemperatureReadingsCelsius } = await read(asker, doing, cooling.metrics, thermalMetrics)
  const places = (TemperatureReadingsCelsius ?? []).flatMap(({ DataSourceUri }) => DataSourceUri ?? [])
  const readOne = (path: string) => read(asker, doing, path, sensorResource)
  return (await Promise.all(places.slice(0, SENSORS_LIMIT).map(readOne))).map(sensor)
}

async function suppliesOf(asker: Asker): Promise<readonly Part[]> {
  const doing = 'read the power supplies'
  const { supplies } = await layoutOf(asker)
  if (supplies === undefined) return []
  if (supplies.is === 'power') {
    return (await read(asker, doing, supplies.path, powerResource)).PowerSupplies.map(supply)
  }
  return (await members(asker, doing, supplies.path, powerSupplyResource)).map(supply)
}

const MIB = 2 ** 20

export async function hardwareOf(asker: Asker): Promise<Partial<Hardware>> {
  const system = await systemOf(asker)
  const fans = (await fansOf(asker)).filter(({ state }) => state !== 'absent').map(({ part }) => part)
  return {
    fans,
    dimms: await dimmsOf(asker, system),
    disks: await disksOf(asker, system),
    pcie: await pcieOf(asker, system),
  }
}

/** An empty slot is a member too: Absent, or of no size. */
async function dimmsOf(asker: Asker, { Memory }: System): Promise<Hardware['dimms']> {
  if (!Memory) return 'unknown'
  const modules = await members(asker, 'read the memory', Memory['@odata.id'], memoryResource)
  return modules.flatMap(({ Id, DeviceLocator, CapacityMiB, Status }) =>
    Status?.State === 'Absent' || !CapacityMiB ? [] : [{ slot: DeviceLocator ?? Id, bytes: CapacityMiB * MIB }],
  )
}

async function disksOf(asker: Asker, { Storage }: System): Promise<Hardware['disks']> {
  if (!Storage) return 'unknown'
  const disks: { serial: string; bytes: number }[] = []
  for (const { Drives } of await members(asker, 'read the storage', Storage['@odata.id'], storageResource)) {
    for (const drive of Drives) {
      const disk = await read(asker, 'read a drive', drive['@odata.id'], driveResource)
      // A drive without a serial cannot be told from another: then nobody can compare, and that is said.
      if (!disk.SerialNumber) return 'unknown'
      disks.push({ serial: disk.SerialNumber, bytes: disk.CapacityBytes ?? 0 })
    }
  }
  return disks
}

async function pcieOf(
  asker: Asker,
  { PCIeDevices }: System,
): Promise<Known<readonly { slot: string; width: number }[]>> {
  if (!PCIeDevices) return 'unknown'
  const devices: { slot: string; width: number }[] = []
  for (const device of PCIeDevices) {
    const { Id, PCIeInterface } = await read(asker, 'read a PCIe device', device['@odata.id'], pcieResource)
    if (PCIeInterface?.LanesInUse) devices.push({ slot: Id, width: PCIeInterface.LanesInUse })
  }
  return devices
}
