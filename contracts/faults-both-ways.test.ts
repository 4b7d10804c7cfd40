/** Every fault of the contract acts for the ports in memory and for the real drivers over the lab's wire, and shows the same in both. */
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { nodeName, vmid, workOrderId } from '#domain/ids'
import { secret } from '#domain/secret'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { redfishBmc } from '#drivers/redfish/redfish-bmc'
import { smtpNotifier } from '#drivers/smtp/smtp-notifier'
import { takeFault } from '#lab/faults/apply'
import { labPorts } from '#lab/ports/lab-ports'
import { pve1, pve2, pve3, smallLab } from '#lab/testing/small-world'
import { cephRequest } from '#lab/wire/ceph-cli/answer'
import { serveProxmox } from '#lab/wire/proxmox/serve'
import { serveRedfish } from '#lab/wire/redfish/redfish-server'
import { serveSmtp } from '#lab/wire/smtp/serve-smtp'
import { type LabCertificate, selfSignedCertificate } from '#lab/wire/tls'
import { noteInterlock } from '#lab/world/journal'
import type { LabWorld } from '#lab/world/lab-world'
import { pullCords } from '#lab/world/power'
import type { WorldNode } from '#lab/world/state'
import { issueWorkOrder } from '#lab/world/technician'
import type { Ports } from '#ports/all'

type Asked = Pick<Ports, 'hypervisor' | 'storage' | 'bmc' | 'notifier'>
type Scene = { readonly lab: LabWorld; readonly ports: Asked; readonly fault: (fault: object) => void }

const MINUTE_S = 60
const pass = ({ lab }: Scene, seconds: number) => lab.advanceTo(lab.state.nowMs + seconds * 1000)
const move = { guest: vmid(101), from: pve3, to: pve1, mode: 'live', withLocalDisks: false } as const

/** What a call comes to: its answer, or whether asking again helps. */
async function outcome<T>(call: Promise<T>): Promise<T | string> {
  try {
    return await call
  } catch (error) {
    if (error instanceof DriverError) return `fails, again ${error.retry}`
    throw error
  }
}

const osdsDown = async ({ ports }: Scene) => {
  const ceph = await ports.storage.observe()
  return ceph === 'none' ? [] : ceph.osds.filter(({ up }) => !up).map(({ id }) => id)
}
const flagsOf = async ({ ports }: Scene, host: string) => {
  const ceph = await ports.storage.observe()
  return ceph === 'none' ? [] : (ceph.hostFlags[host] ?? [])
}
const asserted = async ({ ports }: Scene, cursor: string) => {
  const { signals } = await ports.bmc.signals(pve3, cursor)
  const parts = signals.flatMap((one) => (one.is === 'part' && one.edge === 'assert' ? [one.part] : []))
  return [...new Set(parts)].sort()
}
const pve3Of = ({ lab }: Scene) => lab.state.nodes.pve3 as WorldNode

async function switchedOff(scene: Scene): Promise<void> {
  await scene.ports.hypervisor.shutDown(pve3)
  pass(scene, 3 * MINUTE_S)
}

/** A visit of the technician, and the node on again. */
async function repaired(scene: Scene): Promise<void> {
  const { lab, ports } = scene
  await switchedOff(scene)
  const { site, room, rack, unit, serial } = pve3Of(scene)
  const order = { id: workOrderId('o'), node: pve3, place: { site, room, rack, unit, serial }, part: 'FAN3', why: '' }
  noteInterlock(lab.state, { is: 'safe', sinceMs: lab.state.nowMs, text: 'off' })
  issueWorkOrder(lab.state, { ...order, checklist: [], powerNote: '', answerBeforeMs: 0, round: 1 })
  pass(scene, 60 * MINUTE_S)
  await ports.bmc.powerOn(pve3)
  pass(scene, 10 * MINUTE_S)
}

/** The driver compares one answer in twenty, of the entry points that it really asks: the first is always among them. */
async function clocksSeen({ ports }: Scene): Promise<string | undefined> {
  for (let looks = 0; looks < 8; looks++) await ports.hypervisor.observe({ again: true })
  const { blind } = await ports.hypervisor.observe({ again: true })
  return /^the clock of pve1 is 360\d s ahead/.exec(blind[0] ?? '')?.[0]?.replace(/360\d/, '3600')
}

const FANS = ['FAN1', 'FAN2', 'FAN3', 'FAN4', 'FAN5', 'FAN6']

/** Kind, what shows of it, and as what. `database-away` is in the night's own tests: no port of the world knows a database. */
const TABLE: readonly (readonly [string, (scene: Scene) => Promise<unknown>, unknown])[] = [
  [
    'fan-flap',
    async (scene) => {
      const { cursor } = await scene.ports.bmc.signals(pve3, '')
      scene.fault({ kind: 'fan-flap', node: 'pve3', dropoutsPerDay: 48, historyH: 0 })
      pass(scene, 6 * 60 * MINUTE_S)
      return asserted(scene, cursor)
    },
    ['FAN3'],
  ],
  [
    'fan-bus-flap',
    async (scene) => {
      const { cursor } = await scene.ports.bmc.signals(pve3, '')
      scene.fault({ kind: 'fan-bus-flap', node: 'pve3', perDay: 48, historyH: 0 })
      pass(scene, 6 * 60 * MINUTE_S)
      return asserted(scene, cursor)
    },
    FANS,
  ],
  [
    'fan-stop',
    async (scene) => {
      scene.fault({ kind: 'fan-stop', node: 'pve3', part: 'FAN2' })
      return (await scene.ports.bmc.fans(pve3)).filter(({ state }) => state !== 'ok').map(({ part }) => part)
    },
    ['FAN2'],
  ],
  [
    'psu-lost',
    async (scene) => {
      const { cursor } = await scene.ports.bmc.signals(pve3, '')
      scene.fault({ kind: 'psu-lost', node: 'pve3' })
      const { signals } = await scene.ports.bmc.signals(pve3, cursor)
      return signals.some((one) => one.is === 'part' && one.kind === 'psu' && one.state === 'critical')
    },
    true,
  ],
  [
    'bmc-reset',
    async (scene) => {
      const { cursor } = await scene.ports.bmc.signals(pve3, '')
      scene.fault({ kind: 'bmc-reset', node: 'pve3' })
      const during = await scene.ports.bmc.signals(pve3, cursor)
      pass(scene, 2 * MINUTE_S)
      const after = await scene.ports.bmc.signals(pve3, during.cursor)
      return [...during.signals, ...after.signals].flatMap((one) => (one.is === 'bmc' ? [one.event] : [])).sort()
    },
    ['reachable', 'reset', 'unreachable'],
  ],
  [
    'bmc-silent',
    async (scene) => {
      scene.fault({ kind: 'bmc-silent', node: 'pve3' })
      return (await scene.ports.bmc.power(pve3)).is
    },
    'unknown',
  ],
  [
    'bmc-swapped',
    async (scene) => {
      scene.fault({ kind: 'bmc-swapped', nodes: ['pve3', 'pve2'] })
      return (await scene.ports.bmc.identity(pve3)).serial === scene.lab.state.nodes.pve2?.serial
    },
    true,
  ],
  [
    'bmc-dark-when-unplugged',
    async (scene) => {
      scene.fault({ kind: 'bmc-dark-when-unplugged', node: 'pve3' })
      await switchedOff(scene)
      pullCords(scene.lab.state, pve3Of(scene), 'technician')
      return (await scene.ports.bmc.power(pve3)).is
    },
    'unknown',
  ],
  [
    'powers-on-by-itself',
    async (scene) => {
      scene.fault({ kind: 'powers-on-by-itself', node: 'pve3', afterS: 300 })
      await switchedOff(scene)
      const before = await scene.ports.bmc.power(pve3)
      pass(scene, 6 * MINUTE_S)
      return [before, await scene.ports.bmc.power(pve3)]
    },
    [{ is: 'off' }, { is: 'on' }],
  ],
  [
    'dimm-missing-after-repair',
    async (scene) => {
      const count = async () => {
        const { dimms } = await scene.ports.bmc.hardware(pve3)
        return Array.isArray(dimms) ? dimms.length : 'unknown'
      }
      const before = await count()
      scene.fault({ kind: 'dimm-missing-after-repair' })
      await repaired(scene)
      return Number(before) - Number(await count())
    },
    1,
  ],
  [
    'node-dead',
    async (scene) => {
      scene.fault({ kind: 'node-dead', node: 'pve2' })
      return [await outcome(scene.ports.hypervisor.runningOn(pve2)), await scene.ports.bmc.power(pve2)]
    },
    ['fails, again later', { is: 'off' }],
  ],
  [
    'node-hangs',
    async (scene) => {
      scene.fault({ kind: 'node-hangs', node: 'pve2' })
      return [await outcome(scene.ports.hypervisor.runningOn(pve2)), await scene.ports.bmc.power(pve2)]
    },
    ['fails, again later', { is: 'on' }],
  ],
  [
    'osd-down',
    async (scene) => {
      scene.fault({ kind: 'osd-down', osd: 2 })
      return osdsDown(scene)
    },
    [2],
  ],
  [
    'osd-nearfull',
    async (scene) => {
      scene.fault({ kind: 'osd-nearfull' })
      const ceph = await scene.ports.storage.observe()
      return ceph === 'none' ? 'none' : ceph.fullness
    },
    'nearfull',
  ],
  [
    'quorum-lost',
    async (scene) => {
      scene.fault({ kind: 'quorum-lost', forS: 300 })
      const during = [
        await outcome(scene.ports.hypervisor.nodeOnline(pve3)),
        (await scene.ports.hypervisor.observe()).quorate,
      ]
      pass(scene, 301)
      return [...during, await scene.ports.hypervisor.nodeOnline(pve3)]
    },
    ['fails, again later', false, true],
  ],
  [
    'corosync-token-loss',
    async (scene) => {
      scene.fault({ kind: 'corosync-token-loss', node: 'pve2' })
      return (await scene.ports.hypervisor.observe()).corosyncLinksDown.map(({ node }) => node)
    },
    ['pve2'],
  ],
  [
    'api-error',
    async (scene) => {
      scene.fault({ kind: 'api-error', status: 500, path: '/migrate', times: 1 })
      return [await outcome(scene.ports.hypervisor.migrate(move)), Object.keys(scene.lab.state.migrations)]
    },
    ['fails, again later', []],
  ],
  [
    'answer-lost',
    async (scene) => {
      scene.fault({ kind: 'answer-lost', path: '/migrate', times: 1 })
      return [await outcome(scene.ports.hypervisor.migrate(move)), Object.keys(scene.lab.state.migrations).length]
    },
    ['fails, again later', 1],
  ],
  [
    'migration-fails',
    async (scene) => {
      scene.fault({ kind: 'migration-fails', guest: 101 })
      const handle = await scene.ports.hypervisor.migrate(move)
      pass(scene, 2 * MINUTE_S)
      const end = await scene.ports.hypervisor.follow(handle)
      return end.is === 'ended' ? end.outcome : end.is
    },
    'failed',
  ],
  [
    'migration-never-converges',
    async (scene) => {
      scene.fault({ kind: 'migration-never-converges', guest: 101 })
      const handle = await scene.ports.hypervisor.migrate(move)
      pass(scene, 40)
      const now = await scene.ports.hypervisor.follow(handle)
      return now.is === 'running' && Number(now.allowedPauseMs) > 100
    },
    true,
  ],
  [
    'task-vanishes',
    async (scene) => {
      const sinceMs = scene.lab.state.nowMs
      await scene.ports.hypervisor.migrate(move)
      scene.fault({ kind: 'task-vanishes', guest: 101 })
      return scene.ports.hypervisor.findMigration({ guest: vmid(101), from: pve3, sinceMs })
    },
    undefined,
  ],
  [
    'guest-locked',
    async (scene) => {
      scene.fault({ kind: 'guest-locked', guest: 101 })
      return scene.ports.hypervisor.locate(vmid(101))
    },
    { is: 'at', node: pve3, status: 'running', lock: 'backup' },
  ],
  [
    'guest-appears',
    async (scene) => {
      scene.fault({ kind: 'guest-appears', node: 'pve3', vmid: 188 })
      return (await scene.ports.hypervisor.runningOn(pve3)).includes(vmid(188))
    },
    true,
  ],
  [
    'target-filled',
    async (scene) => {
      scene.fault({ kind: 'target-filled', node: 'pve1' })
      pass(scene, 30)
      const guests = (await scene.ports.hypervisor.observe()).guests.filter(({ node }) => node === pve1)
      return guests.some(({ memoryBytes }) => memoryBytes > 200 * 2 ** 30)
    },
    true,
  ],
  [
    'ha-moves',
    async (scene) => {
      scene.fault({ kind: 'ha-moves', guest: 102, to: 'pve1' })
      pass(scene, 3 * MINUTE_S)
      const where = await scene.ports.hypervisor.locate(vmid(102))
      return where.is === 'at' ? where.node : where.is
    },
    pve1,
  ],
  [
    'noout-cleared-by-other',
    async (scene) => {
      await scene.ports.storage.setNoout(pve3)
      const before = await flagsOf(scene, 'pve3')
      scene.fault({ kind: 'noout-cleared-by-other' })
      return [before, await flagsOf(scene, 'pve3')]
    },
    [['noout'], []],
  ],
  [
    'noout-set-by-other',
    async (scene) => {
      scene.fault({ kind: 'noout-set-by-other', node: 'pve2' })
      return flagsOf(scene, 'pve2')
    },
    ['noout'],
  ],
  [
    'clock-jump',
    async (scene) => {
      scene.fault({ kind: 'clock-jump', node: 'pve1', s: 3600 })
      const ofNode = await clocksSeen(scene)
      scene.fault({ kind: 'mended', what: 'clock-jump' })
      scene.fault({ kind: 'clock-jump', s: -3600 })
      return [ofNode, await clocksSeen(scene)]
    },
    ['the clock of pve1 is 3600 s ahead', 'the clock of pve1 is 3600 s ahead'],
  ],
  [
    'signals-late',
    async (scene) => {
      const { cursor } = await scene.ports.bmc.signals(pve3, '')
      scene.fault({ kind: 'signals-late', node: 'pve3', s: 600 })
      scene.fault({ kind: 'fan-stop', node: 'pve3' })
      pass(scene, 9 * MINUTE_S)
      const before = await asserted(scene, cursor)
      pass(scene, 2 * MINUTE_S)
      return [before, await asserted(scene, cursor)]
    },
    [[], ['FAN3']],
  ],
  [
    'mail-bounces',
    async (scene) => {
      scene.fault({ kind: 'mail-bounces', address: 'hands@hoster.example' })
      const notice = { key: 'k', subject: 's', text: 't' }
      const bounced = await outcome(scene.ports.notifier.send({ ...notice, to: 'hands@hoster.example' }))
      await scene.ports.notifier.send({ ...notice, to: 'ops@hoster.example' })
      return [bounced, scene.lab.state.mails.map(({ to }) => to)]
    },
    ['fails, again never', ['ops@hoster.example']],
  ],
]

const certificates: Record<string, LabCertificate> = {}
const closing: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closing) await close()
})

async function cephBehindItsCommand(lab: LabWorld, clock: Ports['clock']) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    response.end(JSON.stringify(cephRequest(lab.state, JSON.parse(Buffer.concat(chunks).toString('utf8')))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(() => resolve())))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const standIn = fileURLToPath(new URL('../src/lab/wire/ceph-cli/ceph.mjs', import.meta.url))
  return cephStorage({
    command: [process.execPath, standIn],
    env: { COULISSE_LAB_CONTROL: `http://127.0.0.1:${port}` },
    deadlineMs: 20_000,
    clock,
  })
}

async function overTheWire(lab: LabWorld): Promise<Asked> {
  const { state } = lab
  for (const name of Object.keys(state.nodes)) certificates[name] ??= selfSignedCertificate(name, state.nowMs)
  const onChange = () => {}
  const served = await serveProxmox({ lab, onChange, certificates })
  const redfish = await serveRedfish({ lab, onChange })
  const mail = await serveSmtp({ lab, onChange })
  // The control plane's clock follows the lab's, with what it is wrong by.
  const clock = {
    nowMs: async () => state.nowMs + (state.cluster.controlClockOffsetMs ?? 0),
    sleepUntil: async () => {},
  }
  const hypervisor = proxmoxHypervisor({
    entryPoints: served.endpoints.map((endpoint) => ({ ...endpoint, tokenSecret: secret(endpoint.tokenSecret) })),
    clock,
    linkBitsPerSecond: 10e9,
    // Proxmox's API shows no link: whoever configures the driver says how to ask for them.
    corosyncLinksDown: async () => state.cluster.corosyncLinksDown,
  })
  const { user, password, fingerprint256, urls } = redfish
  const targets = Object.entries(urls).map(([name, url]) => [name, { url, user, password, fingerprint256 }])
  const bmc = redfishBmc({ nodes: Object.fromEntries(targets), clock })
  closing.push(
    () => hypervisor.close(),
    () => bmc.close(),
    () => served.close(),
    () => redfish.close(),
    () => mail.close(),
  )
  return {
    hypervisor,
    storage: await cephBehindItsCommand(lab, clock),
    bmc,
    notifier: smtpNotifier({ host: '127.0.0.1', port: mail.port, from: 'coulisse@hoster.example' }),
  }
}

describe.each([
  ['in memory', async (lab: LabWorld): Promise<Asked> => labPorts(lab)],
  ['over the wire', overTheWire],
])('%s', (_way, open) => {
  test.each(TABLE)('%s', async (_kind, shows, expected) => {
    const lab = smallLab()
    const ports = await open(lab)
    const fault = (one: object) => expect(takeFault(lab.state, one)).toEqual({ is: 'taken' })
    expect(await shows({ lab, ports, fault })).toEqual(expected)
  })
})

test('an answer that is slower than a Proxmox proxy waits never comes', async () => {
  const lab = smallLab()
  expect(takeFault(lab.state, { kind: 'api-slow', delayMs: 40_000 })).toEqual({ is: 'taken' })
  expect(await outcome(labPorts(lab).hypervisor.runningOn(nodeName('pve2')))).toBe('fails, again later')
})

test('a slow answer over the wire takes its time', async () => {
  const lab = smallLab()
  const { hypervisor } = await overTheWire(lab)
  await hypervisor.runningOn(pve2)
  takeFault(lab.state, { kind: 'api-slow', delayMs: 400, times: 1 })
  const beganMs = performance.now()
  await hypervisor.runningOn(pve2)
  expect(performance.now() - beganMs).toBeGreaterThan(390)
})
