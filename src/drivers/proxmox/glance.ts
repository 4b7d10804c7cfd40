/** One call that serves all moves which are about to begin: who is away by the cluster's list, and who runs on a target. */
import { type NodeName, nodeName, vmid } from '#domain/ids'
import type { Glance } from '#ports/hypervisor'
import type { ProxmoxClient } from './client.ts'
import type { ProxmoxConfig } from './config.ts'
import * as wire from './wire.ts'

const SHARED_FOR_MS = 20_000

export function glancer(client: ProxmoxClient, config: ProxmoxConfig, clockFaults: () => readonly string[]) {
  let last: { readonly atMs: number; readonly list: ReturnType<typeof ask> } | undefined
  const ask = () => client.get(wire.resources, { doing: 'glance at the cluster', path: '/cluster/resources' })

  return async function glance(target: NodeName): Promise<Glance> {
    const nowMs = await config.clock.nowMs()
    if (last === undefined || Math.abs(nowMs - last.atMs) >= SHARED_FOR_MS) last = { atMs: nowMs, list: ask() }
    const mine = last
    // An answer that failed is nobody's: the next one asks anew.
    const list = await mine.list.catch((error: unknown) => {
      if (last === mine) last = undefined
      throw error
    })
    const links = (await config.corosyncLinksDown?.()) ?? []
    const running = list.filter(({ node, status }) => node === target && status === 'running')
    return {
      away: list.flatMap(({ type, node, status }) =>
        type === 'node' && node !== undefined && status === 'offline' ? [nodeName(node)] : [],
      ),
      corosyncLinksDown: links,
      blind: clockFaults(),
      runningOnTarget: running.flatMap((item) => (item.vmid === undefined ? [] : [vmid(item.vmid)])),
    }
  }
}
