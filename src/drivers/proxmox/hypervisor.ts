/** The hypervisor port over Proxmox VE's API. It translates; it decides nothing. */
import type { Hypervisor } from '#ports/hypervisor'
import { proxmoxClient } from './client.ts'
import { clockWatch } from './clock-watch.ts'
import type { ProxmoxConfig } from './config.ts'
import { haView } from './ha.ts'
import { hardware } from './hardware.ts'
import { keepAnswers } from './kept-answers.ts'
import { kindMemory } from './kinds.ts'
import { migrations } from './migration.ts'
import { observer } from './observe.ts'
import { shutdowns } from './shutdown.ts'
import { tlsTransport } from './transport.ts'
import { lister, locate, nodeOnline, runningOn } from './whereabouts.ts'
import * as wire from './wire.ts'

export type ProxmoxHypervisor = Hypervisor & {
  /** Ends kept connections; a call afterwards fails. */
  close(): Promise<void>
}

/**
 * Promises of the port, with these bounds: at most 2 calls at once, each with a deadline; GETs are repeated and fail over between
 * entry points, writes are sent once; with the node's own API for nothing that is about its drain. A refusal of Proxmox is a
 * DriverError whose `retry` says whether it passes by itself (no quorum, a lock) or not (rights, unknown node).
 */
export function proxmoxHypervisor(config: ProxmoxConfig): ProxmoxHypervisor {
  const clocks = clockWatch(config.clock, config.transport ?? tlsTransport)
  const client = proxmoxClient({ ...config, transport: clocks.watched })
  const { whole, again } = keepAnswers(client, config.clock)
  const kinds = kindMemory()
  const observeWhole = observer(whole, config, clocks.faults)
  const observeAgain = observer(again, config, clocks.faults)
  return {
    ...migrations({ client, facts: again, kinds, config }),
    async observe(options) {
      const seen = await (options?.again === true ? observeAgain : observeWhole)(options?.avoid)
      for (const guest of seen.guests) kinds.learn(guest.vmid, guest.kind)
      return seen
    },
    locate: (guest, expected) => locate(client, guest, expected, kinds.of(guest)),
    listedOn: lister(client, config.clock),
    runningOn: (node) => runningOn(client, node),
    nodeOnline: (node) => nodeOnline(client, node),
    hardware: (node) => hardware(client, config, node),
    async setMaintenanceMode(node, on) {
      if (config.haManager === undefined) return 'unavailable'
      await config.haManager.setMaintenanceMode(node, on)
      return 'set'
    },
    async maintenanceMode(node) {
      const manager = await client.get(wire.managerStatus, {
        doing: `ask HA whether ${node} is in maintenance mode`,
        path: '/cluster/ha/status/manager_status',
        avoid: node,
      })
      const view = haView({ resources: [], current: [], manager })
      if (view.inMaintenance(node)) return 'on'
      // Asked before the plan: an HA that nobody can tell is as good as none, but what somebody else set is seen.
      return view.inUse && config.haManager !== undefined ? 'off' : 'unavailable'
    },
    shutDown: shutdowns(client, config.clock),
    close: client.close,
  }
}
