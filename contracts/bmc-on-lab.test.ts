/** The BMC contract over the simulated world: in memory, and behind Redfish with our real driver in front, as three makers speak it. */
import { nodeName } from '#domain/ids'
import { redfishBmc } from '#drivers/redfish/redfish-bmc'
import { labBmc } from '#lab/ports/bmc'
import { smallSnapshot } from '#lab/testing/small-world'
import { serveRedfish } from '#lab/wire/redfish/redfish-server'
import { VENDORS } from '#lab/wire/redfish/vendors'
import { turnFan } from '#lab/world/bmc'
import * as commands from '#lab/world/commands'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'
import type { World } from '#lab/world/state'
import { bmcContract } from './bmc-contract.ts'

const newWorld = () => createWorld({ snapshot: smallSnapshot(), seed: 1, startAtMs: Date.UTC(2026, 10, 22, 8) })

function bench(world: World, name: string) {
  const node = world.nodes[name]
  if (node === undefined) throw new Error(`${name} is not of this world`)
  return {
    node: node.name,
    fan: 'FAN3',
    identity: { systemUuid: node.systemUuid, serial: node.serial },
    hands: {
      stopFan: async () => turnFan(world, node, 'FAN3', true),
      startFan: async () => turnFan(world, node, 'FAN3', false),
      powerOff: async () => void commands.powerOffHard(world, node.name, 'others'),
      clearLog: async () => {
        world.nowMs += 1_000
        commands.clearSel(world, node.name, 'others')
      },
      silence: async () => {
        node.bmc.state = 'silent'
      },
      unsilence: async () => {
        node.bmc.state = 'up'
      },
    },
  }
}

bmcContract('in the lab’s memory', async () => {
  const world = newWorld()
  return { ...bench(world, 'pve3'), bmc: labBmc(new LabWorld(world)), close: async () => undefined }
})

for (const vendor of VENDORS) {
  for (const signIn of ['basic', 'session', 'found out'] as const) {
    bmcContract(`by Redfish as ${vendor.name} speaks it, sign-in: ${signIn}`, async () => {
      const world = newWorld()
      const name = nodeName('pve3')
      const lab = await serveRedfish({
        lab: new LabWorld(world),
        onChange: () => undefined,
        vendors: { [name]: vendor.name },
        isBasicOff: signIn !== 'basic',
      })
      const { user, password, fingerprint256 } = lab
      const target = {
        url: lab.urls[name] ?? '',
        user,
        password,
        fingerprint256,
        ...(signIn === 'found out' ? {} : { signIn }),
      }
      const clock = { nowMs: async () => world.nowMs, sleepUntil: async () => undefined }
      const bmc = redfishBmc({ nodes: { [name]: target }, clock })
      const close = async () => {
        await bmc.close()
        await lab.close()
      }
      const tellsNoSpeed = vendor.fanUnits === 'Percent' ? ({ tellsNoSpeed: true } as const) : {}
      return { ...bench(world, name), ...tellsNoSpeed, bmc, close }
    })
  }
}
