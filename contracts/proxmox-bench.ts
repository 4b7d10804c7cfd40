/** For the driver's tests: a driver, its client or its Ceph fallback over a replayed tape. */

import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { proxmoxCeph } from '#drivers/proxmox/ceph-fallback'
import { type ProxmoxClient, proxmoxClient } from '#drivers/proxmox/client'
import type { ProxmoxConfig } from '#drivers/proxmox/config'
import { type ProxmoxHypervisor, proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { REPLAY_NOW_MS, type Replay, replayProxmox, type Tape } from './replay-proxmox.ts'

export const NOW_MS = REPLAY_NOW_MS
export const TOKEN = '11111111-2222-3333-4444-555555555555'

export type Bench = {
  readonly replay: Replay
  readonly client: ProxmoxClient
  readonly hypervisor: ProxmoxHypervisor
  readonly ceph: ReturnType<typeof proxmoxCeph>
  /** Its clock stands still but for this. */
  pass(ms: number): void
  close(): Promise<void>
}

export async function bench(nodes: readonly string[], tape: Tape, more: Partial<ProxmoxConfig> = {}): Promise<Bench> {
  const replay = await replayProxmox(nodes, tape)
  const entryPoints = replay.entries.map((entry) => ({ ...entry, tokenId: 'api@pve!full', tokenSecret: secret(TOKEN) }))
  let nowMs = NOW_MS
  const clock = { nowMs: async () => nowMs, sleepUntil: async () => {} }
  const config: ProxmoxConfig = { entryPoints, clock, linkBitsPerSecond: 10e9, ...more }
  const client = proxmoxClient(config)
  const hypervisor = proxmoxHypervisor(config)
  const ceph = proxmoxCeph({ ...config, askVia: async () => nodeName('pve1') })
  return {
    replay,
    client,
    hypervisor,
    ceph,
    pass(ms) {
      nowMs += ms
    },
    async close() {
      await Promise.all([client.close(), hypervisor.close(), ceph.close()])
      await replay.close()
    },
  }
}
