/** What no API tells of the nodes, one line each: `node,serial,uuid[,site[,room[,rack[,unit[,bmc]]]]]`. Pure. */
import { BadInput } from '../bad-input.ts'
import { type BmcAddress, parseBmcAddress } from './bmc-address.ts'

export type NodeLine = {
  readonly node: string
  readonly serial: string
  readonly systemUuid: string
  readonly place: { readonly site?: string; readonly room?: string; readonly rack?: string; readonly unit?: string }
  readonly bmc?: BmcAddress
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const FIELDS = ['node', 'serial', 'uuid', 'site', 'room', 'rack', 'unit', 'bmc'] as const

/** Prints the first three columns of every node, over ssh. */
export const gatherCommand = (nodes: readonly string[]) =>
  `for node in ${nodes.join(' ')}; do ssh root@$node 'echo "$(hostname),$(dmidecode -s system-serial-number),$(dmidecode -s system-uuid)"'; done > nodes.csv`

/** Lines that are empty or begin with # are left out. Throws BadInput with every fault. */
export function parseNodesFile(text: string, name: string): readonly NodeLine[] {
  const faults: string[] = []
  const lines = text.split('\n').flatMap((line, index): readonly NodeLine[] => {
    if (/^\s*(#|$)/.test(line)) return []
    try {
      return [parseLine(line)]
    } catch (error) {
      if (!(error instanceof BadInput)) throw error
      faults.push(...error.faults.map((fault) => `${name}:${index + 1}: ${fault}`))
      return []
    }
  })
  const names = lines.map(({ node }) => node)
  const twice = names.filter((node, index) => names.indexOf(node) !== index)
  faults.push(...[...new Set(twice)].map((node) => `${name}: ${node} is there twice`))
  if (faults.length > 0) throw new BadInput(faults)
  return lines
}

function parseLine(line: string): NodeLine {
  const columns = line.split(',').map((column) => column.trim())
  const [node = '', serial = '', systemUuid = '', site = '', room = '', rack = '', unit = '', bmc = ''] = columns
  const faults = [
    ...(node === '' ? ['no node'] : []),
    ...(serial === '' ? ['no serial'] : []),
    ...(UUID.test(systemUuid) ? [] : [`'${systemUuid}' is no UUID`]),
    ...(columns.length > FIELDS.length ? [`more columns than ${FIELDS.join(',')}`] : []),
  ]
  if (faults.length > 0) throw new BadInput(faults)
  const place = Object.entries({ site, room, rack, unit }).filter(([, value]) => value !== '')
  return {
    node,
    serial,
    systemUuid: systemUuid.toLowerCase(),
    place: Object.fromEntries(place),
    ...(bmc === '' ? {} : { bmc: parseBmcAddress('bmc', bmc) }),
  }
}
