/** Promise 7: the technician is told "safe" only while it is. */
import type { NodeName } from '#domain/ids'
import { powerIsOn } from '#lab/world/bmc'
import { askOkToStop, cephOf, osdsOn } from '#lab/world/ceph'
import { hasEvent, schedule } from '#lab/world/events'
import type { World, WorldEvent } from '#lab/world/state'
import { breakPromise } from './broken.ts'

/** A look at the node comes round within this time; longer is too long for hands in it. */
const WITHDRAWN_WITHIN_MS = 60_000

/** The node that hands may be in: the one that we switched off last, or that died and is to be repaired. */
function nodeInHand(world: World): NodeName | undefined {
  const { commands, workOrders, nodes } = world
  const off = commands.findLast(({ kind, by, outcome }) => kind === 'shut-down' && by === 'us' && outcome === 'done')
  const dead = Object.values(nodes).find(({ state }) => state === 'dead' || state === 'off')
  return off?.node ?? workOrders.at(-1)?.order.node ?? dead?.name
}

function whyNotSafe(world: World, name: NodeName): string | undefined {
  const node = world.nodes[name]
  if (!node) return undefined
  if (powerIsOn(node)) return `${name} has power`
  const ceph = cephOf(world)
  const own = ceph ? osdsOn(ceph, name) : []
  const up = own.find((osd) => osd.up)
  if (up) return `osd.${up.id} is up`
  if (own.length === 0) return undefined
  const answer = askOkToStop(
    world,
    own.map(({ id }) => id),
  )
  return answer.ok ? undefined : `redundancy is lost: ${answer.text}`
}

/** At the moment when it is said it must be true. */
export function checkInterlockSaid(world: World) {
  const name = nodeInHand(world)
  if (world.interlock === 'never-shown' || world.interlock.is !== 'safe') return
  if (name === undefined) return breakOf(world, 'no node was switched off')
  const why = whyNotSafe(world, name)
  if (why !== undefined) breakOf(world, why)
}

const breakOf = (world: World, why: string) => breakPromise(world, 7, `the technician was told "safe": ${why}`)

/** The world changed under a "safe": it has to be withdrawn in time. */
export function expectWithdrawn(world: World): void {
  const node = nodeInHand(world)
  if (world.interlock === 'never-shown' || world.interlock.is !== 'safe' || node === undefined) return
  if (whyNotSafe(world, node) === undefined || hasEvent(world, ({ kind }) => kind === 'interlock-check')) return
  schedule(world, world.nowMs + WITHDRAWN_WITHIN_MS, { kind: 'interlock-check', node })
}

/** A BMC that answers nobody, of a node that is in no list: until one of them tells, its power can be seen by nobody. */
function isUnseen(world: World, name: NodeName): boolean {
  const node = world.nodes[name]
  const ceph = cephOf(world)
  const isDark = node !== undefined && world.nodes[node.bmc.answersAs]?.bmc.state !== 'up'
  return isDark && !node.online && !(ceph && osdsOn(ceph, name).some(({ up }) => up))
}

const LOOKS_AGAIN_MS = 10_000

export function checkInterlock(world: World, event: Extract<WorldEvent, { kind: 'interlock-check' }>): void {
  const { node } = event
  if (world.interlock === 'never-shown' || world.interlock.is !== 'safe') return
  const why = whyNotSafe(world, node)
  if (why !== undefined && isUnseen(world, node)) {
    schedule(world, world.nowMs + LOOKS_AGAIN_MS, {
      kind: 'interlock-check',
      node,
      seenAtMs: world.nowMs + LOOKS_AGAIN_MS,
    })
    return
  }
  const seenMs = world.nowMs - (event.seenAtMs ?? 0)
  if (why !== undefined && seenMs < WITHDRAWN_WITHIN_MS) {
    schedule(world, world.nowMs + WITHDRAWN_WITHIN_MS - seenMs, { kind: 'interlock-check', node })
    return
  }
  if (why !== undefined) breakPromise(world, 7, `"safe" was not withdrawn: ${why}`)
}
