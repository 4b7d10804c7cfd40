/** Where the hosts of a mini cluster live: on loopback addresses, or each in a network namespace whose cable can be pulled. */
import { createHash } from 'node:crypto'
import { run } from '#drivers/exec/run'
import { failed } from './processes.ts'

export type CephNet = {
  readonly addresses: ReadonlyMap<string, string>
  /** In front of a program that runs on the host; for undefined: of one that runs beside the hosts, where we are. */
  inHost(host: string | undefined): readonly string[]
  /** Pulled or plugged in; loopback has no cable. */
  cable(host: string, plugged: boolean): Promise<void>
  end(): Promise<void>
}

export type CephNetKind = 'loopback' | 'namespaces'

const CALL_LIMIT_MS = 20_000
const digestOf = (dir: string) => createHash('sha256').update(dir).digest()

export const makeCephNet = async (kind: CephNetKind, dir: string, hosts: readonly string[]): Promise<CephNet> =>
  kind === 'namespaces' ? namespaces(dir, hosts) : loopback(dir, hosts)

/** Two labs on one machine: each state folder has a loopback network of its own, 127.a.b.0/24. */
function loopback(dir: string, hosts: readonly string[]): CephNet {
  const [a = 0, b = 0] = digestOf(dir)
  return {
    addresses: new Map(hosts.map((host, index) => [host, `127.${1 + (a % 254)}.${b}.${index + 1}`])),
    inHost: () => [],
    cable: () => Promise.reject(failed('pull a cable', new Error('this cluster lives on loopback'))),
    end: async () => undefined,
  }
}

const SUBNET = '10.78.0'

/** Needs root. One namespace a host, and one with a switch in it, where clients are: nothing of it shows on the machine's own network. */
async function namespaces(dir: string, hosts: readonly string[]): Promise<CephNet> {
  const prefix = `cephlab-${digestOf(dir).toString('hex').slice(0, 8)}`
  const nameOf = (host: string) => `${prefix}-${host}`
  const all = [prefix, ...hosts.map(nameOf)]
  await endNamespaces(prefix)
  try {
    for (const name of all) await ip(['netns', 'add', name])
    for (const name of all) await ip(['-n', name, 'link', 'set', 'lo', 'up'])
    await ip(['-n', prefix, 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0'])
    await ip(['-n', prefix, 'link', 'set', 'br0', 'up'])
    await ip(['-n', prefix, 'addr', 'add', `${SUBNET}.254/24`, 'dev', 'br0'])
    for (const [index, host] of hosts.entries()) {
      const [name, port] = [nameOf(host), `up${index}`]
      await ip(['-n', prefix, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name])
      await ip(['-n', prefix, 'link', 'set', port, 'master', 'br0', 'up'])
      await ip(['-n', name, 'addr', 'add', `${SUBNET}.${index + 1}/24`, 'dev', 'eth0'])
      await ip(['-n', name, 'link', 'set', 'eth0', 'up'])
    }
  } catch (error) {
    await endNamespaces(prefix)
    throw error
  }
  return {
    addresses: new Map(hosts.map((host, index) => [host, `${SUBNET}.${index + 1}`])),
    inHost: (host) => ['ip', 'netns', 'exec', host === undefined ? prefix : nameOf(host)],
    // At the switch: the host's own side keeps its address, and only misses the carrier.
    cable: (host, plugged) => ip(['-n', prefix, 'link', 'set', `up${hosts.indexOf(host)}`, plugged ? 'up' : 'down']),
    end: () => endNamespaces(prefix),
  }
}

async function endNamespaces(prefix: string): Promise<void> {
  const listed = await run({
    driver: 'real lab',
    doing: 'list namespaces',
    command: ['ip', 'netns', 'list'],
    deadlineMs: CALL_LIMIT_MS,
  })
  const names = listed.stdout.split('\n').map((line) => line.split(' ')[0] ?? '')
  for (const name of names) if (name === prefix || name.startsWith(`${prefix}-`)) await ip(['netns', 'del', name])
}

async function ip(args: readonly string[]): Promise<void> {
  const doing = `ip ${args.join(' ')}`
  const ran = await run({ driver: 'real lab', doing, command: ['ip', ...args], deadlineMs: CALL_LIMIT_MS })
  if (ran.code !== 0) throw failed(doing, new Error(ran.stderr.trim()))
}
