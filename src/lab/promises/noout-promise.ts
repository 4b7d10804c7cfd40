/** Promise 5: noout as wide as said, as long as its lease, never taken from under OSDs that are down, never somebody else's. */
import type { NodeName } from '#domain/ids'
import { cephOf, flagsAt } from '#lab/world/ceph'
import { schedule } from '#lab/world/events'
import type { World, WorldCeph, WorldCommand } from '#lab/world/state'
import { breakPromise } from './broken.ts'

/** 'set-flag:host:noout', before its effect. */
export function checkFlagCommand(world: World, command: WorldCommand): void {
  const [verb, scope, flag] = command.kind.split(':')
  const ceph = cephOf(world)
  if (!ceph || flag !== 'noout') return
  if (verb === 'set-flag' && scope === 'cluster' && !world.lifted.includes('noout-cluster-wide'))
    breakPromise(world, 5, 'noout was set for the whole cluster and nobody had said so')
  if (verb === 'clear-flag') checkClear(world, ceph, command.node)
}

function checkClear(world: World, ceph: WorldCeph, host: NodeName | undefined): void {
  if (!flagsAt(ceph, host).includes('noout')) return
  const where = host ?? 'the cluster'
  if (ceph.flagSetBy[`${host ?? 'cluster'}/noout`]?.by !== 'us')
    breakPromise(world, 5, `noout on ${where} was cleared, which somebody else had set`)
  const down = ceph.osds.find((osd) => !osd.up && !osd.broken && (host === undefined || osd.host === host))
  if (down) breakPromise(world, 5, `noout on ${where} was cleared while osd.${down.id} of ${down.host} was down`)
}

/** After its end a lease has this long to be noticed. */
export const LEASE_GRACE_MS = 300_000

/** Some minutes after a lease ran out by the clock of whoever wrote it: is the flag gone, the lease renewed, or somebody told? */
export function checkLease(world: World, node: NodeName): void {
  const wrongByMs = world.cluster.controlClockOffsetMs ?? 0
  const ceph = cephOf(world)
  const held = ceph && [`${node}/noout`, 'cluster/noout'].some((key) => ceph.flagSetBy[key]?.by === 'us')
  const expiresAtMs = expiryOf(ceph?.configKeys[`coulisse/lease/${node}`])
  if (!held || expiresAtMs === undefined) return
  const leftMs = expiresAtMs - (world.nowMs + wrongByMs)
  if (leftMs > 0) {
    // That clock was set back meanwhile: looked at again when it shows the end.
    if (wrongByMs !== 0) schedule(world, world.nowMs + leftMs + LEASE_GRACE_MS, { kind: 'lease-expires', node })
    return
  }
  const told = world.told.some(
    ({ about, atMs, endsAtMs }) =>
      about === 'lease' && (atMs + wrongByMs >= expiresAtMs || isSameSecond(endsAtMs, expiresAtMs)),
  )
  if (!told) breakPromise(world, 5, `noout on ${node} outlived its lease and nobody was told`)
}

/** Sentences for people have no milliseconds. */
const isSameSecond = (one: number | undefined, other: number) =>
  one !== undefined && Math.floor(one / 1000) === Math.floor(other / 1000)

const LEASE_ENDS = /lease ends at (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC: nobody renews it/

/** A lease's end that people were told of before it came, because nobody renews it. */
export function toldLeaseEnd(text: string): number | undefined {
  const [, day, time] = LEASE_ENDS.exec(text) ?? []
  return day === undefined ? undefined : Date.parse(`${day}T${time}Z`)
}

function expiryOf(lease: string | undefined): number | undefined {
  const found = lease === undefined ? undefined : /"expiresAtMs":(\d+)/.exec(lease)?.[1]
  return found === undefined ? undefined : Number(found)
}
