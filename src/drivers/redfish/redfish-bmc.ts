/** BMCs by Redfish: identity, power, locate LED, fans, inventory and the event log. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Bmc, Power } from '#ports/bmc'
import type { Clock } from '#ports/clock'
import { type Asker, parse, type System, systemOf } from './asker.ts'
import { type RedfishClient, type RedfishNode, redfishClient } from './client.ts'
import { fansOf, hardwareOf } from './parts.ts'
import { systemResource, toFanReading, toPower, toRestorePolicy } from './resources.ts'
import { signalsOf } from './signals.ts'

export type RedfishConfig = {
  readonly nodes: Readonly<Record<string, RedfishNode>>
  readonly clock: Clock
  readonly deadlineMs?: number
}

const LOOKS_LIMIT = 20
const LOOKS_APART_MS = 500
const ETAG_TRIES_LIMIT = 3

/** Call close() at the end: it signs out where sessions are used. */
export function redfishBmc(config: RedfishConfig): Bmc & { close(): Promise<void> } {
  const clients = new Map<string, RedfishClient>()
  function of(node: NodeName): Asker {
    const target = config.nodes[node]
    if (target === undefined) {
      throw new DriverError('redfish', `${node}: reach the BMC`, { retry: 'never', text: 'no BMC is configured' })
    }
    const client = clients.get(node) ?? redfishClient(node, target, config.deadlineMs)
    clients.set(node, client)
    return { node, client, system: target.system }
  }
  return {
    identity: async (node) => {
      const { UUID, SerialNumber, AssetTag } = await systemOf(of(node))
      const assetTag = AssetTag?.trim()
      return {
        systemUuid: UUID?.toLowerCase() || 'unknown',
        serial: SerialNumber?.trim() || 'unknown',
        ...(assetTag ? { assetTag } : {}),
      }
    },
    power: async (node) => powerOf(of(node)),
    powerOn: async (node) => powerOn(of(node)),
    softOff: async (node) => softOff(of(node)),
    setLocate: async (node, on) => setLocate(of(node), on),
    fans: async (node) => (await fansOf(of(node))).map(toFanReading),
    powerRestorePolicy: async (node) => toRestorePolicy((await systemOf(of(node))).PowerRestorePolicy),
    hardware: async (node) => hardwareOf(of(node)),
    signals: async (node, cursor) => signalsOf(of(node), cursor, await config.clock.nowMs()),
    close: async () => {
      for (const client of clients.values()) await client.close()
    },
  }
}

/** Power that nobody can tell is 'unknown', with the reason: an interlock then stays shut. */
async function powerOf(asker: Asker): Promise<Power> {
  try {
    return toPower((await systemOf(asker)).PowerState)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { is: 'unknown', reason: error.message }
  }
}

async function powerOn(asker: Asker): Promise<void> {
  const doing = 'switch the power on'
  const system = await systemOf(asker)
  if (toPower(system.PowerState).is === 'on') return
  const target = system.Actions?.['#ComputerSystem.Reset']?.target
  await asker.client.post(doing, target ?? `${system['@odata.id']}/Actions/ComputerSystem.Reset`, { ResetType: 'On' })
  for (let look = 1; look <= LOOKS_LIMIT; look++) {
    if ((await powerOf(asker)).is === 'on') return
    await sleep(LOOKS_APART_MS)
  }
  throw new DriverError('redfish', `${asker.node}: ${doing}`, { retry: 'later', text: 'it is still off' })
}

async function softOff(asker: Asker): Promise<void> {
  const doing = 'order it to shut down'
  const system = await systemOf(asker)
  if (toPower(system.PowerState).is === 'off') return
  const target =
    system.Actions?.['#ComputerSystem.Reset']?.target ?? `${system['@odata.id']}/Actions/ComputerSystem.Reset`
  await asker.client.post(doing, target, { ResetType: 'GracefulShutdown' })
}

/** LocationIndicatorActive where the BMC has it, else the older IndicatorLED; neither goes out by itself. */
async function setLocate(asker: Asker, on: boolean): Promise<void> {
  const doing = on ? 'light the locate LED' : 'put the locate LED out'
  const { '@odata.id': path } = await systemOf(asker)
  for (let tries = 1; tries <= ETAG_TRIES_LIMIT; tries++) {
    const { resource, etag } = await asker.client.get(doing, path)
    const system = parse(asker.node, doing, resource, systemResource)
    if (isLit(system) === on) return
    const hasNew = typeof system.LocationIndicatorActive === 'boolean'
    const change = hasNew ? { LocationIndicatorActive: on } : { IndicatorLED: on ? 'Blinking' : 'Off' }
    // Somebody else wrote meanwhile: look again, then write over what is there now.
    if ((await asker.client.patch(doing, path, change, etag)) === 'changed-meanwhile') continue
    if (isLit(await systemOf(asker)) === on) return
  }
  throw new DriverError('redfish', `${asker.node}: ${doing}`, { retry: 'later', text: 'it does not change' })
}

const isLit = ({ LocationIndicatorActive, IndicatorLED }: System): boolean | undefined =>
  LocationIndicatorActive ?? (IndicatorLED ? IndicatorLED !== 'Off' : undefined)
