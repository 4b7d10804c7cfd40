/** What runs on nodes and not by an API: HA's maintenance mode, and Ceph where it is asked there. From the configuration to drivers. */
import { resolve } from 'node:path'
import type { CephConfig } from '#drivers/ceph/ceph-storage'
import type { NodeRight } from '#drivers/exec/node-key'
import type { SshNodes } from '#drivers/exec/ssh'
import { haManager } from '#drivers/ha-manager/ha-manager'
import type { HaManager } from '#drivers/proxmox/config'
import type { Clock } from '#ports/clock'
import type { Config } from './config/schema.ts'

const CEPH_DEADLINE_MS = 15_000

/** Every node of the configuration; undefined: no key is configured. */
export function sshNodesOf({ ssh, nodes }: Config, baseDir: string): SshNodes | undefined {
  if (ssh === undefined) return undefined
  const { user, port, hosts } = ssh
  return {
    user,
    port,
    key: resolve(baseDir, ssh.key),
    knownHosts: resolve(baseDir, ssh.knownHosts),
    nodes: Object.fromEntries(
      Object.keys(nodes).map((node) => {
        const at = hosts[node]
        return [
          node,
          { ...(at === undefined ? {} : { host: at.host }), ...(at?.port === undefined ? {} : { port: at.port }) },
        ]
      }),
    ),
  }
}

/** What our key is used for, and therefore may be good for. */
export function sshRightsOf({ proxmox, ceph }: Config): readonly NodeRight[] {
  const ofCeph = typeof ceph === 'string' ? undefined : ceph
  return [
    ...(proxmox.haManager === 'ssh' ? (['maintenance-mode'] as const) : []),
    ...(ofCeph?.stopOsds === 'ssh' ? (['stop-osd'] as const) : []),
    ...(ofCeph?.command === 'ssh' ? (['ceph'] as const) : []),
  ]
}

/** Undefined: maintenance mode cannot be set. */
export function haManagerOf(config: Config, baseDir: string): HaManager | undefined {
  const way = config.proxmox.haManager
  if (way === undefined) return undefined
  if (way !== 'ssh') return haManager('command' in way ? way : { command: way })
  const ssh = sshNodesOf(config, baseDir)
  return ssh === undefined ? undefined : haManager({ ssh })
}

/** For the ceph command; undefined: there is no Ceph, or it is reached by Proxmox's API. */
export function cephConfigOf(config: Config, baseDir: string, clock: Clock): CephConfig | undefined {
  const { ceph } = config
  if (typeof ceph === 'string') return undefined
  const { command, stopOsds, env, conf, keyring, name } = ceph
  const ssh = sshNodesOf(config, baseDir)
  const base = { clock, env, deadlineMs: CEPH_DEADLINE_MS, ...stopping(stopOsds, ssh) }
  if (command === 'ssh') return ssh === undefined ? undefined : { ...base, ssh }
  return {
    ...base,
    command,
    ...(conf === undefined ? {} : { conf }),
    ...(keyring === undefined ? {} : { keyring }),
    ...(name === undefined ? {} : { name }),
  }
}

function stopping(way: readonly string[] | 'ssh' | undefined, ssh: SshNodes | undefined): Pick<CephConfig, 'stopOsds'> {
  if (way !== 'ssh') return way === undefined ? {} : { stopOsds: way }
  return ssh === undefined ? {} : { stopOsds: { ssh } }
}
