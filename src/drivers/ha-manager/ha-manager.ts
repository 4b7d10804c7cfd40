/** HA's maintenance mode, which exists only as a command on a node: run there by ssh, without a shell, within a deadline. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { type Ran, run } from '#drivers/exec/run'
import { runOnOneOf, type SshNodes, sshFailure, targetsOf } from '#drivers/exec/ssh'

/**
 * By ssh, with a key that its forced command limits to this very line (drivers/exec/coulisse-node.sh); or by a command of your own, in
 * which `{node}` (also where `{on}` stands) and `{action}` (enable or disable) are filled in.
 */
export type HaManagerConfig = { readonly deadlineMs?: number } & (
  | { readonly ssh: SshNodes }
  | { readonly command: readonly string[]; readonly env?: Readonly<Record<string, string>> }
)

const DEFAULT_DEADLINE_MS = 20_000
const SHOWN_LENGTH = 300
/** As Proxmox names nodes: a DNS label. Nothing else may reach a remote shell. */
const NODE_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/

/**
 * Queues the request with HA's manager; the mode itself comes some 10 s later and is read from the API. Setting what is set is
 * harmless. Any member of the cluster will do: the drained one is asked last. Errors: 'later' where no node was reached, none
 * answered in time or none has quorum; 'never' where ssh or ha-manager refused.
 */
export function haManager(config: HaManagerConfig): {
  setMaintenanceMode(node: NodeName, on: boolean): Promise<void>
} {
  const deadlineMs = config.deadlineMs ?? DEFAULT_DEADLINE_MS
  return {
    async setMaintenanceMode(node, on) {
      const doing = `${on ? 'set' : 'end'} maintenance mode of ${node}`
      if (!NODE_NAME.test(node)) {
        throw new DriverError('ha-manager', doing, { retry: 'never', text: `'${node}' is not a node's name` })
      }
      const action = on ? 'enable' : 'disable'
      const asked = { driver: 'ha-manager', doing, deadlineMs }
      if ('ssh' in config) {
        const words = ['ha-manager', 'crm-command', 'node-maintenance', action, node]
        const ran = await runOnOneOf({ ...asked, words }, targetsOf(config.ssh, [node]), lacksQuorum)
        return refuse(ran, doing)
      }
      const command = config.command.map((part) =>
        part.replaceAll('{node}', node).replaceAll('{on}', node).replaceAll('{action}', action),
      )
      const ran = await run({ ...asked, command, env: config.env ?? {} })
      const failure = sshFailure(ran, { host: node, user: 'root', key: 'its key', knownHosts: 'known_hosts' })
      if (failure !== undefined) throw new DriverError('ha-manager', doing, failure)
      refuse(ran, doing)
    },
  }
}

/** "cfs-lock 'file-ha/crm_commands' error: no quorum!": another node may have it. */
const lacksQuorum = ({ code, stderr }: Ran) => code !== 0 && /no quorum|cfs-lock|not ready/i.test(stderr)

function refuse(ran: Ran, doing: string): void {
  if (ran.code === 0) return
  const said = ran.stderr.replaceAll(/\s+/g, ' ').trim().slice(0, SHOWN_LENGTH)
  const text = said === '' ? `exit status ${ran.code}` : said
  throw new DriverError('ha-manager', doing, { retry: lacksQuorum(ran) ? 'later' : 'never', text })
}
