/** Every node's BMC: it answers, our user may sign in, and it is proven to be this node's. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName } from '#domain/ids'
import type { Bmc } from '#ports/bmc'
import { identityBlockers } from '#story/conditions/who'
import type { Config } from '../config/schema.ts'

const BMCS_AT_ONCE_LIMIT = 16
const BLIND = ['detect', 'isolate', 'repair', 'verify'] as const

export async function examineBmcs(config: Config, bmc: Bmc): Promise<readonly Check[]> {
  const waiting = Object.keys(config.nodes).map(nodeName)
  const checks = new Map<NodeName, readonly Check[]>(waiting.map((node) => [node, []]))
  const worker = async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      checks.set(node, await examineOne(config, bmc, node))
    }
  }
  await Promise.all(Array.from({ length: BMCS_AT_ONCE_LIMIT }, worker))
  return [...checks.values()].flat()
}

async function examineOne(config: Config, bmc: Bmc, node: NodeName): Promise<readonly Check[]> {
  const known = config.nodes[node]
  if (known === undefined) return []
  const base = {
    area: 'bmc',
    subject: `${node}, ${known.bmc.kind === 'redfish' ? known.bmc.url : known.bmc.host}`,
  } as const
  try {
    const dmi = { systemUuid: known.systemUuid, serial: known.serial ?? 'unknown' }
    const [doubt] = identityBlockers(node, { is: 'answered', bmc: await bmc.identity(node), dmi })
    if (doubt !== undefined) {
      const mend = `on ${node}: dmidecode -s system-uuid; dmidecode -s system-serial-number; then correct nodes.${node}: its bmc, or systemUuid and serial`
      return [{ ...base, outcome: 'dangerous', text: doubt.text, stages: BLIND, mend }]
    }
    const fans = await bmc.fans(node)
    const text = `answers, and is this node’s by UUID or serial; ${fans.length} fans`
    return [{ ...base, outcome: 'fine', text }]
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const mend =
      error.retry === 'never'
        ? `correct user, password or fingerprint256 of nodes.${node}.bmc`
        : `is it on the network? ping ${known.bmc.kind === 'redfish' ? new URL(known.bmc.url).hostname : known.bmc.host}`
    return [{ ...base, outcome: 'missing', text: error.message, stages: BLIND, mend }]
  }
}
