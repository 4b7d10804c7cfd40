/** The whole truth of the world as `GET /world` tells it: its shape is documented in this folder's README and stays. */
import { ledIsOn, powerIsOn } from '#lab/world/bmc'
import { allGuests, isRunning } from '#lab/world/guests'
import { inMotion, quorate } from '#lab/world/queries'
import type { World } from '#lab/world/state'

export function tellTruth(world: World) {
  const ceph = world.ceph === 'none' ? undefined : world.ceph
  return {
    format: 'coulisse/lab-truth@1',
    simulated: true,
    seed: world.seed,
    nowMs: world.nowMs,
    startedAtMs: world.startedAtMs,
    inMotion: inMotion(world),
    quorate: quorate(world),
    nodes: Object.values(world.nodes).map((node) => ({
      name: node.name,
      power: powerIsOn(node) ? 'on' : 'off',
      state: node.state,
      online: node.online,
      haMaintenance: node.haMaintenance !== 'off',
      locate: ledIsOn(world, node),
      cordsPulled: node.cordsPulled,
      bmc: node.bmc.state,
      bmcAnswersAs: node.bmc.answersAs,
      serial: node.serial,
      fansDown: node.fans.filter(({ rpm }) => rpm === 0).map(({ part }) => part),
    })),
    guests: allGuests(world).map((guest) => ({
      vmid: guest.spec.vmid,
      name: guest.spec.name,
      customer: guest.customer ?? null,
      node: guest.node,
      status: isRunning(guest) ? 'running' : 'stopped',
      runsOn: guest.runsOn,
      lock: guest.lock ?? null,
      home: guest.spec.node,
      interruptions: guest.interruptions,
    })),
    migrations: Object.values(world.migrations).map(({ guest, from, to, phase, by }) => ({
      guest,
      from,
      to,
      phase,
      by,
    })),
    flags: ceph?.flags ?? [],
    hostFlags: ceph?.hostFlags ?? {},
    flagSetBy: ceph?.flagSetBy ?? {},
    osds: ceph?.osds.map(({ id, host, up, in: isIn }) => ({ id, host, up, in: isIn })) ?? [],
    placementGroups: ceph?.placementGroups ?? null,
    objectsMovedByUs: ceph?.objectsMovedByUs ?? 0,
    leases: Object.fromEntries(
      Object.entries(ceph?.configKeys ?? {}).filter(([key]) => key.startsWith('coulisse/lease/')),
    ),
    interlock: world.interlock,
    workOrders: world.workOrders,
    startedTwice: world.startedTwice,
    brokenPromises: world.brokenPromises,
    commands: world.commands,
    faults: world.faults,
    mailCount: world.mails.length,
  }
}
