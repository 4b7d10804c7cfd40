/** From the checked configuration to where its nodes stand, and to NetBox where it is named. */
import { dirname } from 'node:path'
import type { Check } from '#domain/check'
import { type NodeName, nodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { PlaceWords } from '#domain/place'
import { type NetboxDevices, netboxDevices } from '#drivers/netbox/devices'
import { examineNetbox } from '#drivers/netbox/examine'
import { findDevice, type NodeInNetbox } from '#drivers/netbox/find'
import type { Bmc } from '#ports/bmc'
import type { Clock } from '#ports/clock'
import type { Config } from './config/schema.ts'
import { secretOf } from './config/secrets.ts'
import { trustOf } from './monitoring.ts'
import { type KeptPlaces, type Places, placesOf } from './places.ts'

/** What the configuration says of a node's place; 'unknown' is its word for nothing. */
function wordsOf(config: Config, node: NodeName): PlaceWords {
  const known = config.nodes[node]
  if (known === undefined) return {}
  const { site, room, rack, unit, serial, assetTag } = known
  const said = Object.entries({ site, room, rack, unit, serial, assetTag }).filter(
    ([, value]) => value !== undefined && value !== 'unknown',
  )
  return Object.fromEntries(said)
}

function netboxOf(config: Config, configPath: string): NetboxDevices | undefined {
  const { netbox } = config
  if (netbox === undefined) return undefined
  const baseDir = dirname(configPath)
  return netboxDevices({ url: netbox.url, token: secretOf(netbox.token, baseDir), trust: trustOf(netbox, baseDir) })
}

const nodesOf = (config: Config) => Object.keys(config.nodes).map(nodeName)

function inNetbox(config: Config, node: NodeName): NodeInNetbox {
  const serial = config.nodes[node]?.serial
  return { node, name: config.netbox?.names[node] ?? node, ...(serial === undefined ? {} : { serial }) }
}

export function placesFor(
  config: Config,
  configPath: string,
  parts: {
    readonly clock: Clock
    readonly bmc: Bmc
    readonly keeping: { readonly places?: KeptPlaces; readonly log?: (text: string) => void }
  },
): { readonly places: Places; readonly netbox: NetboxDevices | undefined } {
  const { clock, bmc, keeping } = parts
  const netbox = netboxOf(config, configPath)
  const nodes = nodesOf(config)
  const ask = async () => {
    const asked = nodes.map((node) => inNetbox(config, node))
    const all = (await netbox?.named(asked.map(({ name }) => name))) ?? []
    return Object.fromEntries(
      asked.flatMap((one) => {
        const found = findDevice(one, all)
        return found.is === 'found' ? [[one.node, found.device.words] as const] : []
      }),
    )
  }
  const places = placesOf({
    nodes: nodes.map((node) => ({
      node,
      systemUuid: config.nodes[node]?.systemUuid ?? '',
      words: wordsOf(config, node),
    })),
    ...(netbox === undefined ? {} : { netbox: ask }),
    identity: (node) => bmc.identity(node),
    kept: keeping.places ?? keptHere(),
    clock,
    log: keeping.log ?? (() => {}),
  })
  return { places, netbox }
}

/** Where there is no database, until this process ends. */
function keptHere(): KeptPlaces {
  const values = new Map<string, Json>()
  return {
    get: async <T extends Json>(key: string) => values.get(key) as T | undefined,
    put: async (key, value) => void values.set(key, value),
  }
}

/** Of the doctor. */
export async function examineNetboxOf(config: Config, configPath: string): Promise<readonly Check[]> {
  const devices = netboxOf(config, configPath)
  if (devices === undefined || config.netbox === undefined) return []
  try {
    const nodes = nodesOf(config).map((node) => ({ ...inNetbox(config, node), words: wordsOf(config, node) }))
    return await examineNetbox({ url: config.netbox.url, devices, nodes })
  } finally {
    await devices.close()
  }
}
