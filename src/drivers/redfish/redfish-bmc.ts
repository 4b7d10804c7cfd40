/** BMCs by Redfish: identity, power, locate LED, fans, inventory and the event log. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Bmc, Power } from '#ports/bmc'
import type { Clock } from '#ports/clock'
import { type Asker, parse, read } from './asker.ts'
import { type RedfishNode, redfishClient } from './client.ts'
import { layoutOf, systemOf } from './layout.ts'
import { fansOf, hardwareOf } from './parts.ts'
import { actionInfo, type System, systemResource, toFanReading, toPower, toRestorePolicy } from './resources.ts'
import { signalsOf } from './signals.ts'

export type RedfishConfig = {
  readonly nodes: Readonly<Record<string, RedfishNode>>
  readonly clock: Clock
  readonly deadlineMs?: number
}

const LOOKS_LIMIT = 20
const LOOKS_APART_MS = 500
const ETAG_TRIES_LIMIT = 4
/** A watch that goes on asking with a wrong password locks the account at many BMCs. People and acts ask at once. */
const REFUSED_PAUSE_MS = 600_000

export type RedfishBmc = Bmc & {
  /** One node's service, for what is not of the port: events, and the doctor. */
  asker(node: NodeName): Asker
  /** Signs out where sessions are used. */
  close(): Promise<void>
}

export function redfishBmc(config: RedfishConfig): RedfishBmc {
  const askers = new Map<string, Asker>()
  const refusedAtMs = new Map<string, number>()
  function of(node: NodeName): Asker {
    const target = config.nodes[node]
    if (target === undefined) {
      throw new DriverError('redfish', `${node}: reach the BMC`, { retry: 'never', text: 'no BMC is configured' })
    }
    const asker = askers.get(node) ?? {
      node,
      client: redfishClient(node, target, config.deadlineMs),
      system: target.system,
      known: {},
    }
    askers.set(node, asker)
    return asker
  }
  async function signals(node: NodeName, cursor: string) {
    const asker = of(node)
    const nowMs = await config.clock.nowMs()
    if (nowMs < (refusedAtMs.get(node) ?? Number.NEGATIVE_INFINITY) + REFUSED_PAUSE_MS) {
      const text = 'the BMC refused this user and password: the watch asks again 10 minutes after that'
      throw new DriverError('redfish', `${node}: read the event log`, { retry: 'never', text })
    }
    try {
      return await signalsOf(asker, cursor, nowMs)
    } finally {
      if (asker.client.wasRefused()) refusedAtMs.set(node, nowMs)
      else refusedAtMs.delete(node)
    }
  }
  return {
    asker: of,
    identity: async (node) => {
      const { UUID, SerialNumber, AssetTag } = await systemOf(of(node))
      const assetTag = AssetTag?.trim()
      return {
        systemUuid: UUID?.toLowerCase() || 'unknown',
        serial: SerialNumber?.trim() || 'unknown',
        ...(assetTag ? { assetTag } : {}),
      }
    },
    power: async (node) => powerOf(of, node),
    powerOn: async (node) => powerOn(of(node)),
    softOff: async (node) => softOff(of(node)),
    setLocate: async (node, on) => setLocate(of(node), on),
    fans: async (node) => (await fansOf(of(node))).map(toFanReading),
    powerRestorePolicy: async (node) => toRestorePolicy((await systemOf(of(node))).PowerRestorePolicy),
    hardware: async (node) => hardwareOf(of(node)),
    signals,
    close: async () => {
      for (const { client } of askers.values()) await client.close()
    },
  }
}

/** Power that nobody can tell is 'unknown', with the reason: an interlock then stays shut. */
async function powerOf(of: (node: NodeName) => Asker, node: NodeName): Promise<Power> {
  try {
    return toPower((await systemOf(of(node))).PowerState)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { is: 'unknown', reason: error.message }
  }
}

/** Never a type that could cut the current of a machine that runs. */
const TO_SWITCH_ON = ['On', 'ForceOn', 'PushPowerButton'] as const
const TO_SHUT_DOWN = ['GracefulShutdown', 'PushPowerButton'] as const

async function powerOn(asker: Asker): Promise<void> {
  const doing = 'switch the power on'
  const system = await systemOf(asker)
  if (toPower(system.PowerState).is === 'on') return
  await reset(asker, doing, system, TO_SWITCH_ON)
  for (let look = 1; look <= LOOKS_LIMIT; look++) {
    if (toPower((await systemOf(asker)).PowerState).is === 'on') return
    await sleep(LOOKS_APART_MS)
  }
  throw new DriverError('redfish', `${asker.node}: ${doing}`, { retry: 'later', text: 'it is still off' })
}

async function softOff(asker: Asker): Promise<void> {
  const system = await systemOf(asker)
  if (toPower(system.PowerState).is === 'off') return
  await reset(asker, 'order it to shut down', system, TO_SHUT_DOWN)
}

/** @param types in the order of our liking: the first that the BMC allows; the first of all where it does not say. */
async function reset(asker: Asker, doing: string, system: System, types: readonly string[]): Promise<void> {
  const action = system.Actions?.['#ComputerSystem.Reset']
  const allowed = await allowedTypes(asker, doing, action)
  const ResetType = allowed === undefined ? types[0] : types.find((type) => allowed.includes(type))
  if (ResetType === undefined) {
    const text = `the BMC allows ${allowed?.join(', ') || 'nothing'}`
    throw new DriverError('redfish', `${asker.node}: ${doing}`, { retry: 'never', text })
  }
  await asker.client.post(doing, action?.target ?? `${system['@odata.id']}/Actions/ComputerSystem.Reset`, { ResetType })
}

type ResetAction = NonNullable<NonNullable<System['Actions']>['#ComputerSystem.Reset']>

/** Told with the action, or in a resource of its own (ActionInfo). */
async function allowedTypes(asker: Asker, doing: string, action: ResetAction | undefined) {
  const told = action?.['ResetType@Redfish.AllowableValues']
  if (told) return told
  const place = action?.['@Redfish.ActionInfo']
  if (!place) return undefined
  const { Parameters } = await read(asker, doing, place, actionInfo)
  return Parameters.find(({ Name }) => Name === 'ResetType')?.AllowableValues ?? undefined
}

/** LocationIndicatorActive where the BMC has it, else the older IndicatorLED; neither goes out by itself. */
async function setLocate(asker: Asker, on: boolean): Promise<void> {
  const doing = on ? 'light the locate LED' : 'put the locate LED out'
  const { system: path } = await layoutOf(asker)
  for (let tries = 0; tries < ETAG_TRIES_LIMIT; tries++) {
    const { resource, etags } = await asker.client.get(doing, path)
    const system = parse(asker.node, doing, resource, systemResource)
    if (isLit(system) === on) return
    // Somebody else wrote meanwhile: look again, then write over what is there now. Some quote one of two ETags wrongly, and some
    // give none and want one: the last word is that any will do, since the LED is all that is written.
    const etag = tries === ETAG_TRIES_LIMIT - 1 ? '*' : (etags[tries % etags.length] ?? (tries === 0 ? undefined : '*'))
    if ((await asker.client.patch(doing, path, ledChange(system, on), etag)) === 'changed-meanwhile') continue
    if (isLit(await systemOf(asker)) === on) return
  }
  throw new DriverError('redfish', `${asker.node}: ${doing}`, { retry: 'later', text: 'it does not change' })
}

/** Lit where a maker's LED cannot blink. */
function ledChange(system: System, on: boolean) {
  if (typeof system.LocationIndicatorActive === 'boolean') return { LocationIndicatorActive: on }
  const allowed = system['IndicatorLED@Redfish.AllowableValues']
  return { IndicatorLED: !on ? 'Off' : allowed && !allowed.includes('Blinking') ? 'Lit' : 'Blinking' }
}

const isLit = ({ LocationIndicatorActive, IndicatorLED }: System): boolean | undefined =>
  LocationIndicatorActive ?? (IndicatorLED ? IndicatorLED !== 'Off' : undefined)
