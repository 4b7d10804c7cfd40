import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { authorizedKeysLine, installSteps, knownHostsLine, NODE_SCRIPT } from './node-key.ts'
import { runOnNode, sshCommand, sshFailure, targetsOf } from './ssh.ts'

const target = {
  user: 'root',
  key: '/etc/coulisse/key',
  knownHosts: '/etc/coulisse/known_hosts',
  node: 'pve1',
  host: 'pve1',
}

test('every option is named, no file is read, and the host cannot be taken for an option', () => {
  const command = sshCommand({ ...target, port: 2222 }, ['ha-manager', 'status'])
  expect(command.slice(0, 3)).toEqual(['ssh', '-F', 'none'])
  expect(command.slice(-4)).toEqual(['--', 'pve1', 'ha-manager', 'status'])
  const named = ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'IdentitiesOnly=yes', 'IdentityAgent=none', 'Port=2222']
  for (const option of named) expect(command).toContain(option)
})

test('words that a remote shell could read never leave this machine', async () => {
  for (const word of ['$(id)', 'a b', '`id`', 'x;y', '', 'a\nb', "'"]) {
    const asked = { driver: 'test', doing: 'try', words: ['echo', word], deadlineMs: 1000 }
    await expect(runOnNode(asked, target)).rejects.toMatchObject({ retry: 'never' })
  }
  const asked = { driver: 'test', doing: 'try', words: ['true'], deadlineMs: 1000 }
  await expect(runOnNode(asked, { ...target, host: '-oProxyCommand=x' })).rejects.toMatchObject({ retry: 'never' })
})

test('ssh’s own failures are told from the command’s by what ssh says', () => {
  const retryOf = (stderr: string, code = 255) => sshFailure({ code, stderr }, target)?.retry
  expect(retryOf('ssh: connect to host pve1 port 22: Connection refused')).toBe('later')
  expect(retryOf('Connection timed out during banner exchange')).toBe('later')
  expect(retryOf('Timeout, server pve1 not responding.')).toBe('later')
  expect(retryOf('ssh: Could not resolve hostname pve1: Name or service not known')).toBe('never')
  expect(retryOf('ssh: Could not resolve hostname pve1: Temporary failure in name resolution')).toBe('later')
  expect(retryOf('root@pve1: Permission denied (publickey).')).toBe('never')
  expect(retryOf('')).toBe('later')
  expect(retryOf("no such cluster node 'pve3'")).toBeUndefined()
  expect(retryOf('ssh: connect to host pve1 port 22: Connection refused', 2)).toBeUndefined()
  const unusable = 'Load key "/etc/coulisse/key": bad permissions\nroot@pve1: Permission denied (publickey).'
  expect(sshFailure({ code: 255, stderr: unusable }, target)?.text).toContain('cannot be used')
})

test('nodes are asked in order, the drained one last', () => {
  const ssh = { ...target, nodes: { pve1: {}, pve2: { host: '10.0.0.2', port: 23 }, pve3: {} } }
  expect(targetsOf(ssh, ['pve1']).map(({ host, port }) => [host, port])).toEqual([
    ['10.0.0.2', 23],
    ['pve3', undefined],
    ['pve1', undefined],
  ])
})

const PUBLIC = `ssh-ed25519 ${'A'.repeat(68)} coulisse@noc`

test('the line of authorized_keys forbids all but the forced command; what is no public key makes none', () => {
  expect(authorizedKeysLine({ publicKey: PUBLIC, rights: ['maintenance-mode'], from: '10.0.0.5' })).toBe(
    `restrict,from="10.0.0.5",command="/usr/local/sbin/coulisse-node maintenance-mode" ssh-ed25519 ${'A'.repeat(68)} coulisse`,
  )
  const wrong = ['-----BEGIN OPENSSH PRIVATE KEY-----', '', `${PUBLIC}\n${PUBLIC}`, `command="x" ${PUBLIC}`]
  for (const publicKey of wrong) expect(authorizedKeysLine({ publicKey, rights: [] })).toBeUndefined()
  expect(authorizedKeysLine({ publicKey: PUBLIC, rights: [], from: '"x"' })).toBeUndefined()
  expect(knownHostsLine('pve1', 2222, PUBLIC)).toBe(`[pve1]:2222 ssh-ed25519 ${'A'.repeat(68)}`)
  expect(knownHostsLine('pve1', 22, 'garbage')).toBeUndefined()
  const steps = installSteps({ line: 'LINE', nodes: ['pve1', 'pve2'], knownHosts: '/etc/coulisse/known_hosts' })
  expect(steps.filter((step) => step.startsWith('scp '))).toHaveLength(2)
  expect(steps.join('\n')).toContain("echo 'LINE' >>")
})

/** The forced command with nothing on its PATH but what every shell has. */
function asked(command: string, rights = 'maintenance-mode stop-osd ceph'): number {
  try {
    const env = { SSH_ORIGINAL_COMMAND: command, PATH: '/nonexistent' }
    execFileSync('/bin/sh', [NODE_SCRIPT, ...rights.split(' ')], { env, stdio: 'pipe', timeout: 10_000 })
    return 0
  } catch (error) {
    return (error as { status: number }).status
  }
}
const REFUSED = 77

test('the forced command takes its own lines, each with its right, and nothing beside them', () => {
  expect(asked('coulisse-node check')).toBe(0)
  const takes = ['ha-manager crm-command node-maintenance enable no-such-node', 'ceph osd ok-to-stop 2 3 --format json']
  // Not refused; but what it runs is not installed here, or does not reach a cluster.
  for (const line of takes) expect(asked(line)).not.toBe(REFUSED)
  for (const line of [
    '',
    'sh',
    'ha-manager status',
    'ha-manager crm-command node-maintenance enable pve3 pve4',
    'ha-manager crm-command node-maintenance toggle pve3',
    'ha-manager crm-command node-maintenance enable -x',
    'ha-manager crm-command node-maintenance enable pve3;reboot',
    'ha-manager crm-command node-maintenance  enable pve3',
    'ha-manager crm-command node-maintenance enable pve3\nreboot',
    'stop-osd 3',
    'stop-osd 3 4',
    'stop-osd ../../x',
    'ceph daemon mon.pve1 config show',
    'ceph --format json daemon mon.pve1',
    'ceph --name client.admin status',
    'ceph config-key set x --in-file /etc/shadow',
    `ha-manager ${'x'.repeat(3000)}`,
  ])
    expect([line, asked(line)]).toEqual([line, REFUSED])
  expect(asked('ceph status', 'maintenance-mode')).toBe(REFUSED)
  expect(asked('ha-manager crm-command node-maintenance enable pve3', 'stop-osd')).toBe(REFUSED)
})

test('whatever is asked, the forced command refuses what it does not know', () => {
  const word = fc.oneof(fc.string(), fc.constantFrom('ha-manager', 'crm-command', 'ceph', 'stop-osd', '-', '--', '3'))
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      const line = words.join(' ').replaceAll('\0', '')
      fc.pre(!line.startsWith('ceph ') && line !== 'coulisse-node check')
      expect(asked(line)).toBe(REFUSED)
    }),
    { numRuns: 60 },
  )
})
