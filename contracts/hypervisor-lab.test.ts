import { expect, test } from 'vitest'
import type { DriverError } from '#domain/driver-error'
import { vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { applyFault } from '#lab/faults/apply'
import { labHypervisor } from '#lab/ports/hypervisor'
import { pve1, pve3, smallLab } from '#lab/testing/small-world'
import { serveProxmox } from '#lab/wire/proxmox/serve'
import { setMaintenanceMode } from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import type { Hypervisor } from '#ports/hypervisor'
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

async function overTheWire(lab: LabWorld, canSetMaintenanceMode = true) {
  const served = await serveProxmox({ lab, onChange: () => {} })
  const hypervisor = proxmoxHypervisor({
    entryPoints: served.endpoints.map((endpoint) => ({ ...endpoint, tokenSecret: secret(endpoint.tokenSecret) })),
    clock: { nowMs: async () => lab.state.nowMs, sleepUntil: async () => {} },
    linkBitsPerSecond: 10e9,
    ...(canSetMaintenanceMode
      ? {
          haManager: {
            async setMaintenanceMode(node, on) {
              setMaintenanceMode(lab.state, node, on, 'us')
            },
          },
        }
      : {}),
  })
  return {
    ...onLab(lab),
    hypervisor,
    async close() {
      await hypervisor.close()
      await served.close()
    },
  }
}

hypervisorContract('the driver against the lab’s wire', () => overTheWire(smallLab()))

/** What the lab in memory must not be kinder about than the driver that asks its wire. */
async function both(prepare: (lab: LabWorld) => void, ask: (hypervisor: Hypervisor) => Promise<unknown>) {
  const lab = smallLab()
  prepare(lab)
  const wire = await overTheWire(lab)
  const answers = await Promise.allSettled([ask(labHypervisor(lab)), ask(wire.hypervisor)])
  await wire.close()
  return answers.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as DriverError).retry))
}

test('without quorum nobody has the cluster’s word on who is online', async () => {
  const lose = (lab: LabWorld) => {
    applyFault(lab.state, { kind: 'quorum-lost', forS: 600 })
  }
  expect(await both(lose, (hypervisor) => hypervisor.nodeOnline(pve3))).toEqual(['later', 'later'])
})

test('where HA was never used nobody answers for maintenance mode', async () => {
  const prepare = (lab: LabWorld) => {
    lab.state.cluster.haInUse = false
  }
  expect(await both(prepare, (hypervisor) => hypervisor.maintenanceMode(pve3))).toEqual(['unavailable', 'unavailable'])
})

test('the guests of a node that died stay in the list as they were', async () => {
  const die = (lab: LabWorld) => {
    applyFault(lab.state, { kind: 'node-dead', node: pve3 })
    lab.advanceTo(lab.state.nowMs + 40_000)
  }
  const statusOf = async (hypervisor: Hypervisor) =>
    (await hypervisor.observe()).guests.find((guest) => guest.vmid === vmid(101))?.status
  expect(await both(die, statusOf)).toEqual(['running', 'running'])
})

test('without a way to the command, maintenance mode is unavailable before the plan is made, and another’s is seen all the same', async () => {
  const lab = smallLab()
  const { hypervisor, close } = await overTheWire(lab, false)
  expect(await hypervisor.maintenanceMode(pve3)).toBe('unavailable')
  expect(await hypervisor.setMaintenanceMode(pve3, true)).toBe('unavailable')
  setMaintenanceMode(lab.state, pve3, true, 'others')
  lab.advanceTo(lab.state.nowMs + 60_000)
  expect(await hypervisor.maintenanceMode(pve3)).toBe('on')
  await close()
})
