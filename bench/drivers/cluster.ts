/** Four nodes, one of them full of guests: what the benchmarks of the drivers drain. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readScenario } from '#app/night/scenario'
import type { Guest } from '#domain/guest'
import { vmid } from '#domain/ids'
import type { Snapshot } from '#domain/snapshot'

const SCENARIO = fileURLToPath(
  new URL('../../scenarios/pair-that-belongs-together-goes-home-together', import.meta.url),
)
const GIB = 2 ** 30

export const DRAINED = 'pve3'

/** `guests` running VMs on pve3 beside what runs elsewhere; every fifth is managed by HA where `withHa`. */
export function clusterToDrain(options: {
  readonly guests: number
  readonly residentGibOf: (index: number) => number
  readonly parallel: number
  readonly withHa: boolean
}): Snapshot {
  const { snapshot } = readScenario(join(SCENARIO))
  const { cluster } = snapshot
  const elsewhere = cluster.guests.filter(({ node }) => node !== DRAINED)
  const [pattern] = cluster.guests.filter(({ node, status }) => node === DRAINED && status === 'running')
  if (pattern === undefined) throw new Error(`the scenario has no guest on ${DRAINED}`)
  const guests = Array.from({ length: options.guests }, (_, index): Guest => {
    const residentBytes = Math.round(options.residentGibOf(index) * GIB)
    return {
      ...pattern,
      vmid: vmid(500 + index),
      name: `bench-${index + 1}`,
      cpuCores: 1,
      memoryBytes: residentBytes + GIB,
      residentBytes,
      dirtyBytesPerSecond: 4 * 2 ** 20,
      ha: { managed: options.withHa && index % 5 === 4 },
    }
  })
  return {
    ...snapshot,
    cluster: { ...cluster, guests: [...elsewhere, ...guests], rules: [] },
    policy: { ...snapshot.policy, parallelMigrations: options.parallel },
  }
}
