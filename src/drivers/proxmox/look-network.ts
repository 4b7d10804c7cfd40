/** Corosync's networks against the migration network: a drain that fills corosync's link ends in fencing. */
import { BlockList, isIP } from 'node:net'
import type { z } from 'zod'
import type { Known } from '#domain/measured'
import type { configNodes, Options } from './wire.ts'

type ConfigNodes = z.output<typeof configNodes>
type Member = { readonly name: string; readonly address: string | undefined }

/** 'migration', 'ha' and 'next-id' come parsed or as property strings, depending on the release. */
export function property(value: Options['ha'], name: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string') return value[name] === undefined ? undefined : String(value[name])
  return new RegExp(`(?:^|,)${name}=([^,]*)`).exec(value)?.[1]
}

/**
 * Does migration traffic share a network with a corosync link? Without `migration: network=` it takes the nodes' own addresses.
 * 'unknown' where a ring address is a host name, or a node has not told its address.
 */
export function sharesCorosync(options: Options, nodes: ConfigNodes, members: readonly Member[]): Known<boolean> {
  const links = nodes.flatMap(ringAddresses)
  if (links.length === 0 || links.some((link) => isIP(link) === 0)) return 'unknown'
  const network = property(options.migration, 'network')
  if (network === undefined) {
    const own = members.flatMap((member) => (member.address === undefined ? [] : [member.address]))
    return own.length === 0 ? 'unknown' : own.some((address) => links.includes(address))
  }
  const [address = '', prefix = ''] = network.split('/')
  if (isIP(address) === 0 || !/^\d+$/.test(prefix) || Number(prefix) > (isIP(address) === 6 ? 128 : 32))
    return 'unknown'
  const inside = new BlockList()
  inside.addSubnet(address, Number(prefix), family(address))
  return links.some((link) => inside.check(link, family(link)))
}

/** Every link of a node, ring0_addr to ring7_addr. */
const ringAddresses = (node: ConfigNodes[number]): readonly string[] =>
  Object.entries(node).flatMap(([key, value]) => (/^(ring|link)\d+(_addr)?$/.test(key) ? [addressIn(value)] : []))

const family = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
/** '10.77.0.11' or 'address=10.77.0.11,priority=5' */
const addressIn = (value: unknown) => (/(?:^|address=)([^,=]+)/.exec(String(value))?.[1] ?? '').trim()
