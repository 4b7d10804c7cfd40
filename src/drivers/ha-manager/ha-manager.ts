/** HA's maintenance mode, which exists only as a command on a node: run there by ssh, without a shell, within a deadline. */
import { execFile } from 'node:child_process'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'

export type HaManagerConfig = {
  /**
   * `{node}` and `{action}` (enable or disable) are filled in. ssh joins what follows the host into one line for the remote shell:
   * names are therefore checked. Meant for a key that its authorized_keys limits to this very line.
   */
  readonly command?: readonly string[]
  /** The node on which the command runs; default: the node itself. Any member of the cluster will do. */
  readonly runOn?: (node: NodeName) => string
  readonly deadlineMs?: number
}

export const DEFAULT_COMMAND = [
  'ssh',
  '-o',
  'BatchMode=yes',
  '-o',
  'StrictHostKeyChecking=yes',
  '-o',
  'ConnectTimeout=5',
  'root@{on}',
  'ha-manager',
  'crm-command',
  'node-maintenance',
  '{action}',
  '{node}',
] as const

const DEFAULT_DEADLINE_MS = 20_000
const OUTPUT_LIMIT_BYTES = 64 * 1024
const SHOWN_LENGTH = 300
/** As Proxmox names nodes: a DNS label. Nothing else may reach a remote shell. */
const NODE_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/
/** ssh's own exit status: it never reached the node. */
const SSH_FAILED = 255

/**
 * Queues the request with HA's manager; the mode itself comes some 10 s later and is read from the API. Setting what is set is
 * harmless. Errors: 'later' where the node was not reached or did not answer in time, 'never' where it refused.
 */
export function haManager(config: HaManagerConfig = {}): {
  setMaintenanceMode(node: NodeName, on: boolean): Promise<void>
} {
  return {
    async setMaintenanceMode(node, on) {
      const doing = `${on ? 'set' : 'end'} maintenance mode of ${node}`
      const runOn = config.runOn?.(node) ?? node
      for (const name of [node, runOn]) {
        if (NODE_NAME.test(name)) continue
        throw new DriverError('ha-manager', doing, { retry: 'never', text: `'${name}' is not a node's name` })
      }
      const filled = (config.command ?? DEFAULT_COMMAND).map((part) =>
        part
          .replaceAll('{node}', node)
          .replaceAll('{on}', runOn)
          .replaceAll('{action}', on ? 'enable' : 'disable'),
      )
      await run(filled, doing, config.deadlineMs ?? DEFAULT_DEADLINE_MS)
    },
  }
}

function run(command: readonly string[], doing: string, deadlineMs: number): Promise<void> {
  const [program = '', ...args] = command
  return new Promise((resolve, reject) => {
    const options = { timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT_BYTES } as const
    execFile(program, args, options, (error, _stdout, stderr) => {
      if (error === null) return resolve()
      const said = stderr.replaceAll(/\s+/g, ' ').trim().slice(0, SHOWN_LENGTH)
      const late = error.killed === true
      const text = late ? `no answer within ${deadlineMs} ms` : said || `exit status ${String(error.code)}`
      const missing = error.code === 'ENOENT'
      const retry = late || Number(error.code) === SSH_FAILED ? 'later' : 'never'
      reject(new DriverError('ha-manager', doing, { retry, text: missing ? `${program} is not installed` : text }))
    })
  })
}
