/** The Bmc port over the simulated world: whoever answers at a node's BMC address, which need not be the node. */
import type { NodeName } from '#domain/ids'
import type { Signal } from '#domain/signal'
import { powerIsOn } from '#lab/world/bmc'
import * as commands from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import { bmcBehind } from '#lab/world/queries'
import type { WorldFan, WorldNode } from '#lab/world/state'
import type { Answer } from '#lab/world/surface'
import type { Bmc, BmcIdentity, FanReading } from '#ports/bmc'
import { ask } from './ask.ts'
import { signalsAfter } from './signals.ts'

const LOW_RPM = 1000
/** In front of the cursor: the BMC did not answer the last time, so its return is told. */
const WAS_SILENT = '!'

export function labBmc(lab: LabWorld): Bmc {
  const world = lab.state
  const path = (node: NodeName, what: string) => `/redfish/${node}/${what}`
  const read = <T>(node: NodeName, what: string, of: (chassis: WorldNode) => T): T =>
    ask(lab, { api: 'bmc', method: 'GET', path: path(node, what), doing: `read ${what} from ${node}'s BMC` }, () =>
      mapAnswer(bmcBehind(world, node), of),
    )
  return {
    identity: async (node) => read(node, 'identity', identityOf),
    power: async (node) => {
      const answer = bmcBehind(world, node)
      if (answer.is === 'refused') return { is: 'unknown', reason: answer.text }
      return read(node, 'power', (chassis) => ({ is: powerIsOn(chassis) ? 'on' : 'off' }))
    },
    powerOn: async (node) => {
      const call = { api: 'bmc', method: 'POST', path: path(node, 'power'), doing: `switch ${node} on` } as const
      ask(lab, call, () => commands.powerOn(world, node, 'us'))
    },
    softOff: async (node) => {
      const call = {
        api: 'bmc',
        method: 'POST',
        path: path(node, 'power'),
        doing: `order ${node} to shut down`,
      } as const
      ask(lab, call, () => commands.pressPower(world, node, 'us'))
    },
    setLocate: async (node, on) => {
      const doing = `switch the locate LED of ${node} ${on ? 'on' : 'off'}`
      ask(lab, { api: 'bmc', method: 'PUT', path: path(node, 'locate'), doing }, () =>
        commands.setIdentify(world, node, on, 'us'),
      )
    },
    fans: async (node) => read(node, 'fans', (chassis) => chassis.fans.map((fan) => readFan(chassis, fan))),
    powerRestorePolicy: async (node) => read(node, 'power-restore', (chassis) => chassis.powerRestorePolicy),
    hardware: async (node) =>
      read(node, 'hardware', ({ hardware }) => ({ dimms: hardware.dimms, fans: hardware.fans })),
    signals: async (node, cursor) => {
      const answer = bmcBehind(world, node)
      const seen = cursor.replace(WAS_SILENT, '')
      if (answer.is === 'refused') {
        return { signals: [silence(node, world.nowMs, 'unreachable')], cursor: `${WAS_SILENT}${seen}` }
      }
      const after = read(node, 'signals', (chassis) =>
        signalsAfter({ world, chassis, node, cursor: seen, nowMs: world.nowMs }),
      )
      if (!cursor.startsWith(WAS_SILENT)) return after
      return { ...after, signals: [silence(node, world.nowMs, 'reachable'), ...after.signals] }
    },
  }
}

/** An empty FRU and an unset GUID prove nothing. */
const identityOf = ({ systemUuid, serial, bmc }: WorldNode): BmcIdentity =>
  bmc.anonymous === true ? { systemUuid: 'unknown', serial: 'unknown' } : { systemUuid, serial }

const mapAnswer = <A, B>(answer: Answer<A>, of: (value: A) => B): Answer<B> =>
  answer.is === 'done' ? { is: 'done', value: of(answer.value) } : answer

const silence = (node: NodeName, nowMs: number, event: 'unreachable' | 'reachable'): Signal => ({
  is: 'bmc',
  atMs: nowMs,
  receivedAtMs: nowMs,
  node,
  event,
})

/** Without power a fan has no reading; that is not a fan at rest. */
function readFan(chassis: WorldNode, { part, rpm }: WorldFan): FanReading {
  if (!powerIsOn(chassis)) return { part, state: 'unreadable', rpm: 'unknown' }
  return { part, state: rpm < LOW_RPM ? 'low' : 'ok', rpm }
}
