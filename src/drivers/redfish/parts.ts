/** Fans, supplies, temperatures and inventory, from the newer and the older resources. */
import type { Known } from '#domain/measured'
import type { Hardware } from '#domain/node'
import { type Asker, type Chassis, chassisOf, members, read, type System, systemOf } from './asker.ts'
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
  storageResource,
  supply,
  thermalResource,
} from './resources.ts'

export async function fansOf(asker: Asker, chassis?: Chassis): Promise<readonly Part[]> {
  const doing = 'read the fans'
  const { ThermalSubsystem, Thermal } = chassis ?? (await chassisOf(asker))
  if (ThermalSubsystem !== undefined) {
    return (await members(asker, doing, `${ThermalSubsystem['@odata.id']}/Fans`, fanResource)).map(newFan)
  }
  if (Thermal === undefined) return []
  return (await read(asker, doing, Thermal['@odata.id'], thermalResource)).Fans.map(oldFan)
}

/** Fans, supplies and, where the older form is there, temperatures with their health. */
export async function partsOf(asker: Asker): Promise<readonly Part[]> {
  const chassis = await chassisOf(asker)
  const parts: Part[] = [...(await fansOf(asker, chassis))]
  const doing = 'read supplies and temperatures'
  const { PowerSubsystem, Power: old, Thermal } = chassis
  if (PowerSubsystem !== undefined) {
    const path = `${PowerSubsystem['@odata.id']}/PowerSupplies`
    parts.push(...(await members(asker, doing, path, powerSupplyResource)).map(supply))
  } else if (old !== undefined) {
    parts.push(...(await read(asker, doing, old['@odata.id'], powerResource)).PowerSupplies.map(supply))
  }
  if (Thermal !== undefined) {
    parts.push(...(await read(asker, doing, Thermal['@odata.id'], thermalResource)).Temperatures.map(oldTemperature))
  }
  return parts
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
  if (Memory === undefined) return 'unknown'
  const modules = await members(asker, 'read the memory', Memory['@odata.id'], memoryResource)
  return modules.flatMap(({ Id, DeviceLocator, CapacityMiB, Status }) =>
    Status?.State === 'Absent' || !CapacityMiB ? [] : [{ slot: DeviceLocator ?? Id, bytes: CapacityMiB * MIB }],
  )
}

async function disksOf(asker: Asker, { Storage }: System): Promise<Hardware['disks']> {
  if (Storage === undefined) return 'unknown'
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
  if (PCIeDevices === undefined) return 'unknown'
  const devices: { slot: string; width: number }[] = []
  for (const device of PCIeDevices) {
    const { Id, PCIeInterface } = await read(asker, 'read a PCIe device', device['@odata.id'], pcieResource)
    if (PCIeInterface?.LanesInUse) devices.push({ slot: Id, width: PCIeInterface.LanesInUse })
  }
  return devices
}
