import { hypervisorContract } from '#contracts/hypervisor-contract'
import { cluster, migration, moved } from '#contracts/proxmox-tape'
import { recording, replayProxmox } from '#contracts/replay-proxmox'
import { nodeName, vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { proxmoxHypervisor } from './hypervisor.ts'

const NOW_MS = 1_795_332_811_000

hypervisorContract('the driver over recordings of Proxmox VE 9.2', async () => {
  const gone = 'UPID:pve1:00000001:00000001:6B029A45:qmigrate:100:root@pam:'
  const replay = await replayProxmox(['pve1', 'pve2', 'pve3'], {
    ...cluster,
    ...migration,
    [`GET /nodes/pve1/tasks/${gone}/status`]: recording('err-task-notfound'),
    'POST /nodes/pve1/qemu/100/migrate?online=1&target=pve9': recording('err-target-unknown'),
  })
  const hypervisor = proxmoxHypervisor({
    entryPoints: replay.entries.map((entry) => ({
      ...entry,
      tokenId: 'api@pve!full',
      tokenSecret: secret('11111111-2222-3333-4444-555555555555'),
    })),
    clock: { nowMs: async () => NOW_MS, sleepUntil: async () => {} },
    linkBitsPerSecond: 10e9,
  })
  return {
    hypervisor,
    guest: vmid(100),
    source: nodeName('pve1'),
    target: nodeName('pve2'),
    nowMs: async () => NOW_MS,
    goOn: async (seconds) => {
      if (seconds >= 30) replay.play(moved)
    },
    async close() {
      await hypervisor.close()
      await replay.close()
    },
  }
})
