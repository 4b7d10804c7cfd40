/**
 * Joins real daemons to the simulated world: a node that goes off there loses its real OSDs, a fan that stops there stops in the
 * real BMC, and a power command that a real BMC takes reaches the node. Guests, HA and the Proxmox API stay the world's.
 */
import type { Snapshot } from '#domain/snapshot'
import { ledIsOn, powerIsOn } from '#lab/world/bmc'
import * as commands from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import type { WorldNode } from '#lab/world/state'
import type { RealBmc, RealBmcs } from './bmcs.ts'
import type { RealCeph } from './ceph-cluster.ts'

export type Attached = {
  /** Stops following; the daemons stay as they are. Rejects with what went wrong meanwhile. */
  detach(): Promise<void>
}

export type AttachOptions = {
  readonly lab: LabWorld
  readonly onChange: () => void
  readonly ceph?: RealCeph
  readonly bmcs?: RealBmcs
}

/** Felt at once by a person, and not much work: files of a few bytes. */
const LOOK_EVERY_MS = 200

/** The Ceph is real, so the world has none: nobody then looks at two. */
export const withoutCeph = (snapshot: Snapshot): Snapshot => ({ ...snapshot, ceph: 'none' })

export function attachReal({ lab, onChange, ceph, bmcs }: AttachOptions): Attached {
  const hosts = new Map<string, HostState>()
  const chassis = new Map<string, Chassis>()
  let trouble: unknown
  let looking = Promise.resolve()
  let isLooking = false
  async function look() {
    for (const node of Object.values(lab.state.nodes)) {
      if (ceph !== undefined) followHost(ceph, node, hosts)
      const bmc = bmcs?.byNode.get(node.name)
      if (bmc !== undefined) await followChassis({ lab, onChange, node, bmc, chassis })
    }
  }
  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    looking = look()
      .catch((error: unknown) => {
        trouble ??= error
      })
      .finally(() => {
        isLooking = false
      })
  }, LOOK_EVERY_MS)
  return {
    detach: async () => {
      clearInterval(timer)
      await looking
      for (const host of hosts.values()) await host.work
      if (trouble !== undefined) throw trouble
    },
  }
}

type HostState = { is: 'up' | 'down'; work: Promise<void> }

/** Off in order stops daemons in order, as systemd does; off by a dead board does not ask them. */
function followHost(ceph: RealCeph, node: WorldNode, hosts: Map<string, HostState>): void {
  const host = hosts.get(node.name) ?? { is: 'up', work: Promise.resolve() }
  hosts.set(node.name, host)
  const wanted = wantedOf(node)
  if (wanted === 'as-it-is' || (wanted === 'up') === (host.is === 'up')) return
  host.is = wanted === 'up' ? 'up' : 'down'
  const act = () => (wanted === 'up' ? ceph.startHost(node.name) : ceph.stopHost(node.name, wanted))
  // One after the other: a node may be switched on while its daemons still end.
  host.work = host.work.then(act, act)
  host.work.catch(() => undefined)
}

function wantedOf({ state }: WorldNode): 'up' | 'in-order' | 'power-cut' | 'as-it-is' {
  switch (state) {
    case 'running':
      return 'up'
    case 'shutting-down':
      return 'in-order'
    case 'off':
    case 'dead':
    case 'booting':
      return 'power-cut'
    case 'hung':
      return 'as-it-is'
  }
}

type Chassis = {
  power: 'on' | 'off'
  locate: 'on' | 'off' | 'never-asked'
  isSilent: boolean
  readonly rpm: Map<string, number>
}

type Follow = {
  readonly lab: LabWorld
  readonly onChange: () => void
  readonly node: WorldNode
  readonly bmc: RealBmc
  readonly chassis: Map<string, Chassis>
}

async function followChassis({ lab, onChange, node, bmc, chassis }: Follow): Promise<void> {
  const first: Chassis = { power: await bmc.power(), locate: await bmc.locate(), isSilent: false, rpm: new Map() }
  const seen = chassis.get(node.name) ?? first
  chassis.set(node.name, seen)
  const [power, locate] = [await bmc.power(), await bmc.locate()]
  if (power !== seen.power) {
    if (power === 'on' && !powerIsOn(node)) commands.powerOn(lab.state, node.name, 'us')
    if (power === 'off' && powerIsOn(node)) commands.powerOffHard(lab.state, node.name, 'us')
    onChange()
  }
  const is = powerIsOn(node) ? 'on' : 'off'
  if (is !== power) await bmc.setPower(is)
  seen.power = is
  if (locate !== seen.locate && (locate === 'on') !== ledIsOn(lab.state, node)) {
    commands.setIdentify(lab.state, node.name, locate === 'on', 'us')
    onChange()
  }
  seen.locate = locate
  const isSilent = node.bmc.state !== 'up'
  if (isSilent !== seen.isSilent) await bmc.silence(isSilent)
  seen.isSilent = isSilent
  await followFans(node, bmc, seen)
}

/** Without power the thresholds are not armed: what fans do then is nothing to write into a log. */
async function followFans(node: WorldNode, bmc: RealBmc, { rpm }: Chassis): Promise<void> {
  if (!powerIsOn(node)) return
  for (const fan of node.fans) {
    if ((rpm.get(fan.part) ?? fan.nominalRpm) !== fan.rpm) await bmc.setFan(fan.part, fan.rpm)
    rpm.set(fan.part, fan.rpm)
  }
}
