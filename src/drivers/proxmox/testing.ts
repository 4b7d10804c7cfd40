/** For tests beside the driver: a driver, its client or its Ceph fallback over a replayed tape. */
import { type Replay, replayProxmox, type Tape } from '#contracts/replay-proxmox'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { proxmoxCeph } from './ceph-fallback.ts'
import { type ProxmoxClient, proxmoxClient } from './client.ts'
import type { ProxmoxConfig } from './config.ts'
import { type ProxmoxHypervisor, proxmoxHypervisor } from './hypervisor.ts'

export const NOW_MS = 1_795_332_811_000
export const TOKEN = '11111111-2222-3333-4444-555555555555'

export type Bench = {
  readonly replay: Replay
  readonly client: ProxmoxClient
  readonly hypervisor: ProxmoxHypervisor
  readonly ceph: ReturnType<typeof proxmoxCeph>
  close(): Promise<void>
}

export async function bench(nodes: readonly string[], tape: Tape, more: Partial<ProxmoxConfig> = {}): Promise<Bench> {
  const replay = await replayProxmox(nodes, tape)
  const entryPoints = replay.entries.map((entry) => ({ ...entry, tokenId: 'api@pve!full', tokenSecret: secret(TOKEN) }))
  const clock = { nowMs: async () => NOW_MS, sleepUntil: async () => {} }
  const config: ProxmoxConfig = { entryPoints, clock, linkBitsPerSecond: 10e9, ...more }
  const client = proxmoxClient(config)
  const hypervisor = proxmoxHypervisor(config)
  const ceph = proxmoxCeph({ ...config, askVia: async () => nodeName('pve1') })
  return {
    replay,
    client,
    hypervisor,
    ceph,
    async close() {
      await Promise.all([client.close(), hypervisor.close(), ceph.close()])
      await replay.close()
    },
  }
}
