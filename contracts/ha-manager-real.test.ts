/** Maintenance mode over a real sshd: the key, its forced command and a stand-in for `ha-manager` at the far end. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { runOnNode, type SshNodes } from '#drivers/exec/ssh'
import { examineHaManager } from '#drivers/ha-manager/examine'
import { haManager } from '#drivers/ha-manager/ha-manager'
import { openSshBench, type SshBench, sshAt, whyNoSshd } from './node-by-ssh.ts'
import { leftOut } from './real.ts'

const pve1 = nodeName('pve1')
const pve3 = nodeName('pve3')

/** Writes down what it was asked; knows three nodes, and dies like Perl. */
const STAND_IN = `#!/bin/sh
echo "$@" >> "$HA_LOG"
case $4 in pve[123]) exit 0 ;; esac
echo "no such cluster node '$4'" >&2
exit 255
`
const SYSTEMCTL = `#!/bin/sh
echo "systemctl $*" >> "$HA_LOG"
`

let node: SshBench
let silent: Server
let silentPort = 0

let logFolder = ''
const log = () => readFile(join(logFolder, 'ha.log'), 'utf8').catch(() => '')
const failing = async (work: Promise<unknown>) => (await work.catch((error: unknown) => error)) as DriverError

async function open() {
  logFolder = await mkdtemp(join(tmpdir(), 'coulisse-ha-log-'))
  await mkdir(join(logFolder, 'osd', '4'), { recursive: true })
  node = await openSshBench({
    programs: { 'ha-manager': STAND_IN, systemctl: SYSTEMCTL },
    env: { HA_LOG: join(logFolder, 'ha.log') },
    osdData: join(logFolder, 'osd', '/'),
  })
  silent = createServer()
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  silentPort = typeof address === 'object' && address !== null ? address.port : 0
}

const why = await whyNoSshd()

describe.runIf(why === undefined)('maintenance mode over a real sshd', () => {
  beforeAll(open)
  afterAll(async () => {
    silent?.close()
    await node?.close()
    await rm(logFolder, { recursive: true, force: true })
  })

  test('is set and ended by exactly the command that people type', async () => {
    await node.allow(['maintenance-mode'])
    const manager = haManager({ ssh: await node.reached({ pve1: sshAt(node.sshd.port) }) })
    await manager.setMaintenanceMode(pve3, true)
    await manager.setMaintenanceMode(pve3, false)
    expect(await log()).toBe('crm-command node-maintenance enable pve3\ncrm-command node-maintenance disable pve3\n')
  })

  test('what ha-manager refuses is final, though Perl ends with ssh’s own exit status', async () => {
    const manager = haManager({ ssh: await node.reached({ pve1: sshAt(node.sshd.port) }) })
    const error = await failing(manager.setMaintenanceMode(nodeName('pve9'), true))
    expect(error).toMatchObject({ retry: 'never', message: expect.stringContaining("no such cluster node 'pve9'") })
  })

  test('the key runs nothing else: no shell, no other command, no OSD without the right', async () => {
    const access = await node.reached({})
    const ask = (...words: string[]) =>
      runOnNode(
        { driver: 'test', doing: 'try', words, deadlineMs: 15_000 },
        { ...access, ...sshAt(node.sshd.port), node: 'pve1' },
      )
    const before = await log()
    for (const words of [['id'], ['ha-manager', 'status'], ['stop-osd', '4'], ['cat', '/etc/passwd'], ['sh']]) {
      const ran = await ask(...words)
      expect(ran).toMatchObject({ code: 77, stdout: '', stderr: expect.stringContaining('refused') })
    }
    expect((await ask()).stderr).toContain('nobody logs in')
    await node.allow(['maintenance-mode', 'stop-osd'])
    expect((await ask('stop-osd', '4')).code).toBe(0)
    expect((await ask('stop-osd', '5')).stderr).toContain('osd.5 does not live on this node')
    expect((await log()).slice(before.length)).toBe('systemctl stop ceph-osd@4.service\n')
  })

  test('another host key than the known one, or none, is never trusted, and nothing runs', async () => {
    const before = await log()
    const other = (await readFile(`${node.sshd.key}.pub`, 'utf8')).trim()
    const changed = await failing(
      haManager({
        ssh: await node.reached({ pve1: sshAt(node.sshd.port) }, await node.trust([node.sshd.port], other)),
      }).setMaintenanceMode(pve3, true),
    )
    expect(changed).toMatchObject({ retry: 'never', message: expect.stringContaining('somebody else answers') })
    const unknown = haManager({ ssh: await node.reached({ pve1: sshAt(node.sshd.port) }, await node.trust([])) })
    expect(await failing(unknown.setMaintenanceMode(pve3, true))).toMatchObject({
      retry: 'never',
      message: expect.stringContaining('has no host key'),
    })
    expect(await log()).toBe(before)
  })

  test('a key that the node does not take, or that is not there, is never tried again', async () => {
    await writeFile(node.sshd.authorizedKeys, '')
    const access = await node.reached({ pve1: sshAt(node.sshd.port) })
    expect(await failing(haManager({ ssh: access }).setMaintenanceMode(pve3, true))).toMatchObject({
      retry: 'never',
      message: expect.stringContaining('refuses the key'),
    })
    const missing = haManager({ ssh: { ...access, key: join(node.folder, 'no-such-key') } })
    expect(await failing(missing.setMaintenanceMode(pve3, true))).toMatchObject({
      retry: 'never',
      message: expect.stringContaining('cannot be used'),
    })
    await node.allow(['maintenance-mode'])
  })

  test('a node that refuses, or that takes the call and says nothing, is for later; another node is asked meanwhile', async () => {
    const gone = haManager({ ssh: await node.reached({ pve1: sshAt(1) }) })
    expect(await failing(gone.setMaintenanceMode(pve3, true))).toMatchObject({ retry: 'later' })
    const startedAt = performance.now()
    const mute = haManager({ ssh: await node.reached({ pve1: sshAt(silentPort) }) })
    expect(await failing(mute.setMaintenanceMode(pve3, true))).toMatchObject({ retry: 'later' })
    expect(performance.now() - startedAt).toBeLessThan(30_000)
    const before = await log()
    const ring = { pve1: sshAt(1), pve2: sshAt(node.sshd.port) }
    await haManager({ ssh: await node.reached(ring) }).setMaintenanceMode(pve3, true)
    expect((await log()).slice(before.length)).toBe('crm-command node-maintenance enable pve3\n')
  })

  test('a node that hangs after the greeting is given up at the deadline', async () => {
    await node.sshd.hang()
    const manager = haManager({ ssh: await node.reached({ pve1: sshAt(node.sshd.port) }), deadlineMs: 2_000 })
    expect(await failing(manager.setMaintenanceMode(pve3, true))).toMatchObject({ retry: 'later' })
    await node.sshd.goOn()
    await haManager({ ssh: await node.reached({ pve1: sshAt(node.sshd.port) }) }).setMaintenanceMode(pve3, false)
  })

  test('the drained node is asked last', async () => {
    const before = await log()
    const access = await node.reached({ pve1: sshAt(1), pve2: sshAt(node.sshd.port) })
    await haManager({ ssh: access }).setMaintenanceMode(pve1, true)
    expect((await log()).slice(before.length)).toBe('crm-command node-maintenance enable pve1\n')
  })

  test('doctor names what is missing or too much, node by node', async () => {
    const outcomes = async (access: SshNodes | undefined) =>
      (await examineHaManager({ ssh: access, rights: ['maintenance-mode'] })).map(
        ({ outcome, text }) => [outcome, text] as const,
      )
    const nodes = { pve1: sshAt(node.sshd.port) }
    await node.allow(['maintenance-mode'])
    expect(await outcomes(await node.reached(nodes))).toEqual([['fine', expect.stringContaining('maintenance-mode')]])
    await node.allow(['stop-osd'])
    expect(await outcomes(await node.reached(nodes))).toEqual([
      ['missing', expect.stringContaining('maintenance-mode')],
    ])
    await writeFile(node.sshd.authorizedKeys, node.sshd.publicKey)
    expect(await outcomes(await node.reached(nodes))).toEqual([['dangerous', expect.stringContaining('every command')]])
    await writeFile(node.sshd.authorizedKeys, '')
    expect(await outcomes(await node.reached(nodes))).toEqual([['missing', expect.stringContaining('refuses the key')]])
    expect(await outcomes(await node.reached({ pve1: sshAt(1) }))).toEqual([
      ['missing', expect.stringContaining('refused')],
    ])
    const strange = await node.trust([node.sshd.port], (await readFile(`${node.sshd.key}.pub`, 'utf8')).trim())
    expect(await outcomes(await node.reached(nodes, strange))).toEqual([
      ['dangerous', expect.stringContaining('host key')],
    ])
    expect(await outcomes(undefined)).toEqual([['missing', expect.stringContaining('HA guests')]])
  })
})

if (why !== undefined) leftOut('maintenance mode over a real sshd', why)
