/** The ssh key that nodes take from us: what it may run, its line in authorized_keys, and how a person installs both. Pure. */
import { fileURLToPath } from 'node:url'

/** As coulisse-node.sh knows them. */
export const NODE_RIGHTS = ['maintenance-mode', 'stop-osd', 'ceph'] as const
export type NodeRight = (typeof NODE_RIGHTS)[number]

/** The forced command as it lies here; nodes hold a copy of it at NODE_SCRIPT_PLACE. */
export const NODE_SCRIPT = fileURLToPath(new URL('./coulisse-node.sh', import.meta.url))
export const NODE_SCRIPT_PLACE = '/usr/local/sbin/coulisse-node'
/** Of the script that this program was made for. */
export const NODE_SCRIPT_VERSION = 1

const PUBLIC_KEY =
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com) ([A-Za-z0-9+/]{40,}={0,3})(?: [^\n]*)?$/
const ADDRESSES = /^[0-9A-Fa-f.:/,*?!]+$/

export type KeyLine = {
  /** What `ssh-keygen` wrote to id_ed25519.pub: one line. */
  readonly publicKey: string
  readonly rights: readonly NodeRight[]
  /** The addresses that may use it, as authorized_keys writes them: '10.0.0.5,10.0.1.0/24'. */
  readonly from?: string
  readonly script?: string
}

/**
 * `restrict,command="…" ssh-ed25519 AAAA… coulisse`: no terminal, no forwarding, no other command.
 * Undefined: this is no public key (a private one, or two lines), or no list of addresses.
 */
export function authorizedKeysLine({
  publicKey,
  rights,
  from,
  script = NODE_SCRIPT_PLACE,
}: KeyLine): string | undefined {
  const key = PUBLIC_KEY.exec(publicKey.trim())
  if (key === null || (from !== undefined && !ADDRESSES.test(from))) return undefined
  const limits = ['restrict', ...(from === undefined ? [] : [`from="${from}"`])]
  return `${limits.join(',')},command="${[script, ...rights].join(' ')}" ${key[1]} ${key[2]} coulisse`
}

/** One line of our known_hosts; `hostKey` is what the node itself shows: the content of /etc/ssh/ssh_host_ed25519_key.pub. */
export function knownHostsLine(host: string, port: number, hostKey: string): string | undefined {
  const key = PUBLIC_KEY.exec(hostKey.trim())
  if (key === null) return undefined
  return `${port === 22 ? host : `[${host}]:${port}`} ${key[1]} ${key[2]}`
}

/** What a person does once, in order; `line` is authorizedKeysLine's. Proxmox shares root's authorized_keys among all nodes. */
export function installSteps(options: {
  readonly line: string
  readonly nodes: readonly string[]
  readonly knownHosts: string
}): readonly string[] {
  const { line, nodes, knownHosts } = options
  const copies = nodes.map(
    (node) => `scp ${NODE_SCRIPT} root@${node}:${NODE_SCRIPT_PLACE} && ssh root@${node} chmod 755 ${NODE_SCRIPT_PLACE}`,
  )
  return [
    '# on this machine, as you: the forced command goes to every node',
    ...copies,
    '# on one node, as root: authorized_keys is the whole cluster’s (else on every node)',
    `echo '${line}' >> /root/.ssh/authorized_keys`,
    `# the host key that each node shows on its own console goes to ${knownHosts}, with its name in front`,
    "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub",
  ]
}
