import { vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { labHypervisor } from '#lab/ports/hypervisor'
import { pve1, pve3, smallLab } from '#lab/testing/small-world'
import { serveProxmox } from '#lab/wire/proxmox/serve'
import { setMaintenanceMode } from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import { hypervisorContract } from './hypervisor-contract.ts'

const onLab = (lab: LabWorld) => ({
  guest: vmid(101),
  source: pve3,
  target: pve1,
  nowMs: async () => lab.state.nowMs,
  goOn: async (seconds: number) => lab.advanceTo(lab.state.nowMs + seconds * 1000),
})

hypervisorContract('the lab in memory', async () => {
  const lab = smallLab()
  return { ...onLab(lab), hypervisor: labHypervisor(lab), close: async () => {} }
})

hypervisorContract('the driver against the lab’s wire', async () => {
  const lab = smallLab()
  const served = await serveProxmox({ lab, onChange: () => {} })
  const hypervisor = proxmoxHypervisor({
    entryPoints: served.endpoints.map((endpoint) => ({ ...endpoint, tokenSecret: secret(endpoint.tokenSecret) })),
    clock: { nowMs: async () => lab.state.nowMs, sleepUntil: async () => {} },
    linkBitsPerSecond: 10e9,
    haManager: {
      async setMaintenanceMode(node, on) {
        setMaintenanceMode(lab.state, node, on, 'us')
      },
    },
  })
  return {
    ...onLab(lab),
    hypervisor,
    async close() {
      await hypervisor.close()
      await served.close()
    },
  }
})
