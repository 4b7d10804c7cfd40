/** A node as our ssh meets it: a real sshd, the forced command installed, and stand-ins for the programs that only a real node has. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authorizedKeysLine, knownHostsLine, NODE_SCRIPT, type NodeRight } from '#drivers/exec/node-key'
import type { SshNodes } from '#drivers/exec/ssh'
import { type RealSshd, sshdIsInstalled, startRealSshd } from '#lab/real/sshd'

export type SshBench = {
  readonly sshd: RealSshd
  readonly folder: string
  /** Our key's line in authorized_keys, with these rights. */
  allow(rights: readonly NodeRight[]): Promise<void>
  /** A known_hosts with the host key at these ports; default: its own. */
  trust(ports: readonly number[], hostKey?: string): Promise<string>
  reached(nodes: SshNodes['nodes'], knownHosts?: string): Promise<SshNodes>
  close(): Promise<void>
}

export const sshAt = (port: number) => ({ host: '127.0.0.1', port })

/** Undefined: go on. Else why a test over a real sshd is left out. */
export async function whyNoSshd(): Promise<string | undefined> {
  if (process.env.COULISSE_REAL !== '1') return 'set COULISSE_REAL=1 to start real daemons'
  return (await sshdIsInstalled()) ? undefined : 'missing on this machine: openssh-server'
}

/** @param osdData where this node's OSDs have their folders, by number, in place of /var/lib/ceph/osd/ceph- */
export async function openSshBench(options: {
  readonly programs: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  readonly osdData: string
}): Promise<SshBench> {
  const folder = await mkdtemp(join(tmpdir(), 'coulisse-sshd-'))
  const programs = join(folder, 'bin')
  await mkdir(programs)
  const script = (await readFile(NODE_SCRIPT, 'utf8')).replace(
    'osd_data=/var/lib/ceph/osd/ceph-',
    `osd_data=${options.osdData}`,
  )
  const installed = join(folder, 'coulisse-node')
  const files = Object.entries(options.programs).map(([name, text]) => [join(programs, name), text] as const)
  for (const [file, text] of [...files, [installed, script] as const]) {
    await writeFile(file, text)
    await chmod(file, 0o755)
  }
  const sshd = await startRealSshd({ dir: join(folder, 'sshd'), programs, env: options.env })
  const trust = async (ports: readonly number[], hostKey = sshd.hostKey) => {
    const file = join(folder, `known_hosts.${ports.join('.')}.${hostKey.length}`)
    await writeFile(file, ports.map((port) => `${knownHostsLine('127.0.0.1', port, hostKey)}\n`).join(''))
    return file
  }
  return {
    sshd,
    folder,
    trust,
    allow: async (rights) => {
      const line = authorizedKeysLine({ publicKey: sshd.publicKey, rights, script: installed })
      await writeFile(sshd.authorizedKeys, `${line}\n`)
    },
    reached: async (nodes, knownHosts) => ({
      user: sshd.user,
      key: sshd.key,
      knownHosts: knownHosts ?? (await trust([sshd.port])),
      nodes,
    }),
    close: async () => {
      await sshd.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
