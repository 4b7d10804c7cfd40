/** `lab serve` by its contract: the ready line, faults, the truth, time, and that every address in it answers. */
import { createConnection } from 'node:net'
import { connect } from 'node:tls'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { coulisse, freshFolder, getJson, postJson, until } from './coulisse.ts'
import { DEMO_CLUSTER, EXAMPLE, end, type ServedLab, serveLab, truthOf } from './lab-and-control-plane.ts'

const readySchema = z.object({
  ready: z.literal(true),
  proxmox: z
    .array(
      z.object({
        url: z.url({ protocol: /^https$/ }),
        tokenId: z.string().regex(/^[^@!]+@[^@!]+![^@!]+$/),
        tokenSecret: z.string().min(1),
        fingerprint256: z.string().regex(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
      }),
    )
    .min(1),
  redfish: z
    .array(z.object({ node: z.string(), url: z.url({ protocol: /^https$/ }), user: z.string(), password: z.string() }))
    .min(1),
  smtp: z.string().regex(/^127\.0\.0\.1:\d+$/),
  control: z.url({ protocol: /^http$/ }),
})

const insecure = new Agent({ connect: { rejectUnauthorized: false } })

let lab: ServedLab
beforeAll(async () => {
  lab = await serveLab('--snapshot', EXAMPLE, '--speed', '1')
})
afterAll(() => end(lab.run))

test('the ready line has the contract’s fields, and a signal ends it', async () => {
  readySchema.parse(lab.ready)
  const other = await serveLab('--snapshot', DEMO_CLUSTER)
  other.run.kill('SIGTERM')
  expect(await other.run.ended).toEqual({ code: 0, signal: null })
})

test('--listen says where the control URL is, and a place that is taken is an error in words', async () => {
  const { port } = new URL(lab.ready.control)
  const taken = await coulisse(['lab', 'serve', '--snapshot', EXAMPLE, '--listen', `127.0.0.1:${port}`])
  expect(taken).toMatchObject({ code: 1, out: '' })
  expect(taken.err).toContain(port)
})

test('Proxmox answers with the token over the certificate of the fingerprint, and refuses another', async () => {
  for (const { url, tokenId, tokenSecret, fingerprint256 } of lab.ready.proxmox) {
    expect(await fingerprintOf(url)).toBe(fingerprint256)
    const ask = async (secret: string) =>
      request(`${url}/api2/json/nodes`, {
        dispatcher: insecure,
        headers: { authorization: `PVEAPIToken=${tokenId}=${secret}` },
      })
    const good = await ask(tokenSecret)
    expect(good.statusCode).toBe(200)
    expect(((await good.body.json()) as { data: unknown[] }).data).toHaveLength(lab.ready.proxmox.length)
    expect((await ask('00000000-0000-0000-0000-000000000000')).statusCode).toBe(401)
  }
})

function fingerprintOf(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

test('every BMC answers as its node, with its password and not without', async () => {
  for (const { url, user, password } of lab.ready.redfish) {
    const ask = (authorization?: string) =>
      request(`${url}/redfish/v1/Systems`, {
        dispatcher: insecure,
        headers: authorization === undefined ? {} : { authorization },
      })
    const good = await ask(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`)
    expect(good.statusCode).toBe(200)
    expect(((await good.body.json()) as { Members: unknown[] }).Members).toHaveLength(1)
    expect((await ask()).statusCode).toBe(401)
  }
})

test('SMTP takes a mail', async () => {
  const [host = '', port = ''] = lab.ready.smtp.split(':')
  const lines = [
    'HELO test',
    'MAIL FROM:<a@b.example>',
    'RCPT TO:<c@d.example>',
    'DATA',
    'Subject: hello\r\n\r\nhi\r\n.',
    'QUIT',
  ]
  const said = await new Promise<string>((resolve, reject) => {
    let text = ''
    const socket = createConnection({ host, port: Number(port) })
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const line = lines.shift()
      if (line !== undefined) socket.write(`${line}\r\n`)
    })
    socket.once('error', reject).once('close', () => resolve(text))
  })
  expect(said.match(/^\d{3}/gm)?.every((code) => Number(code) < 400)).toBe(true)
  expect((await getJson<{ mails: unknown[] }>(`${lab.ready.control}/mails`))?.mails).toHaveLength(1)
})

/** As the contract lists them; the guest and the nodes are the example's. */
const CONTRACT_FAULTS: readonly Record<string, unknown>[] = [
  { kind: 'fan-flap', node: 'pve3', part: 'FAN3', dropoutsPerDay: 4, dropoutS: 30 },
  { kind: 'fan-bus-flap', node: 'pve3', perDay: 6 },
  { kind: 'fan-stop', node: 'pve3' },
  { kind: 'psu-lost', node: 'pve3' },
  { kind: 'bmc-reset', node: 'pve3' },
  { kind: 'bmc-silent', node: 'pve3' },
  { kind: 'bmc-swapped', nodes: ['pve1', 'pve2'] },
  { kind: 'bmc-dark-when-unplugged', node: 'pve3' },
  { kind: 'powers-on-by-itself', node: 'pve3' },
  { kind: 'dimm-missing-after-repair', node: 'pve3' },
  { kind: 'node-hangs', node: 'pve3' },
  { kind: 'osd-down', osd: 0 },
  { kind: 'osd-nearfull', osd: 0 },
  { kind: 'quorum-lost' },
  { kind: 'corosync-token-loss', node: 'pve2' },
  { kind: 'api-slow' },
  { kind: 'answer-lost', path: '/migrate', rate: 0.5 },
  { kind: 'task-vanishes', guest: 101 },
  { kind: 'migration-fails', guest: 101, times: 2 },
  { kind: 'migration-never-converges', guest: 101 },
  { kind: 'guest-locked', guest: 101 },
  { kind: 'guest-appears', node: 'pve3' },
  { kind: 'ha-moves', guest: 101 },
  { kind: 'noout-cleared-by-other' },
  { kind: 'noout-set-by-other' },
  { kind: 'clock-jump', node: 'pve2', s: 30 },
  { kind: 'database-away', s: 5 },
  { kind: 'node-dead', node: 'pve4' },
  { kind: 'api-error', rate: 0.1, status: 500 },
]

describe('faults', () => {
  test('every kind of the contract is taken, and listed', async () => {
    const { run, ready } = await serveLab('--snapshot', EXAMPLE)
    const refused: unknown[] = []
    for (const fault of CONTRACT_FAULTS) {
      const answer = await postJson(`${ready.control}/faults`, fault)
      if (answer.status >= 300) refused.push({ fault, ...answer })
    }
    const listed = await getJson<{ faults: { fault: { kind: string } }[] }>(`${ready.control}/faults`)
    await end(run)
    expect(refused).toEqual([])
    expect(listed?.faults.map(({ fault }) => fault.kind)).toEqual(CONTRACT_FAULTS.map(({ kind }) => kind))
  })

  test('a bad one is refused with what is wrong, and nothing is applied', async () => {
    const { control } = lab.ready
    const before = await truthOf(control)
    const bad = [
      {},
      { kind: 'nonsense' },
      { kind: 'fan-flap' },
      { kind: 'fan-flap', node: 'pve99' },
      { kind: 'fan-stop', node: 'pve3', part: 'FAN99' },
      { kind: 'bmc-swapped', nodes: ['pve1'] },
      { kind: 'migration-fails', guest: 99_999 },
      { kind: 'osd-down', osd: 999 },
      { kind: 'api-error', rate: 2, status: 500 },
      'text',
    ]
    for (const fault of bad) {
      const { status, body } = await postJson(`${control}/faults`, fault)
      expect([fault, status]).toEqual([fault, 400])
      expect(body.problems).not.toHaveLength(0)
    }
    expect((await fetch(`${control}/faults`, { method: 'POST', body: '{' })).status).toBe(400)
    expect((await getJson<{ faults: unknown[] }>(`${control}/faults`))?.faults).toEqual([])
    const after = await truthOf(control)
    expect({ ...after, nowMs: 0 }).toEqual({ ...before, nowMs: 0 })
  })
})

test('the truth names every guest, power, flags, OSDs, what was started twice and every promise broken', async () => {
  const truth = z
    .looseObject({
      guests: z
        .array(z.looseObject({ vmid: z.int(), node: z.string(), status: z.string(), runsOn: z.array(z.string()) }))
        .min(1),
      nodes: z.array(z.looseObject({ name: z.string(), power: z.enum(['on', 'off']) })).min(1),
      flags: z.array(z.string()),
      hostFlags: z.record(z.string(), z.array(z.string())),
      osds: z.array(z.looseObject({ id: z.int(), host: z.string(), up: z.boolean(), in: z.boolean() })).min(1),
      startedTwice: z.array(z.unknown()).length(0),
      brokenPromises: z.array(z.unknown()).length(0),
    })
    .parse(await truthOf(lab.ready.control))
  for (const { status, node, runsOn } of truth.guests) expect(runsOn).toEqual(status === 'running' ? [node] : [])
})

describe('time', () => {
  type Time = { readonly nowMs: number; readonly inMotion: boolean }
  const timeOf = async (control: string) => {
    const time = await until('the time', () => getJson<Time>(`${control}/time`))
    return { ...time, realMs: performance.now() }
  }
  /** World milliseconds a real one, from now until `isOver`. */
  const rateUntil = async (control: string, isOver: (now: Time & { realMs: number }) => boolean) => {
    const from = await timeOf(control)
    let last = from
    for (let now = from; !isOver(now); now = await timeOf(control)) last = now
    return (last.nowMs - from.nowMs) / (last.realMs - from.realMs)
  }

  test('runs free at the speed, and at most 20-fold while a migration runs', async () => {
    const { run, ready } = await serveLab('--snapshot', DEMO_CLUSTER, '--speed', '600')
    const endAtMs = performance.now() + 500
    expect(await rateUntil(ready.control, ({ realMs }) => realMs > endAtMs)).toBeGreaterThan(400)
    const entry = ready.proxmox.find(({ node }) => node === 'pve3')
    const answer = await request(`${entry?.url}/api2/json/nodes/pve3/qemu/103/migrate`, {
      method: 'POST',
      dispatcher: insecure,
      headers: {
        authorization: `PVEAPIToken=${entry?.tokenId}=${entry?.tokenSecret}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'target=pve1&online=1',
    })
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, expect.stringContaining('UPID')])
    const rate = await rateUntil(ready.control, ({ inMotion }) => !inMotion)
    await end(run)
    expect(rate).toBeLessThanOrEqual(21)
    expect(rate).toBeGreaterThan(5)
  })

  test('a world that was kept goes on where it was, with what was done to it', async () => {
    const folder = freshFolder('lab')
    const first = await serveLab('--snapshot', DEMO_CLUSTER, '--speed', '600', '--state', folder)
    await postJson(`${first.ready.control}/faults`, { kind: 'fan-stop', node: 'pve3' })
    first.run.kill('SIGKILL')
    await first.run.ended
    const second = await serveLab('--snapshot', DEMO_CLUSTER, '--state', folder)
    const truth = (await truthOf(second.ready.control)) as unknown as { nodes: { name: string; fansDown: string[] }[] }
    await end(second.run)
    expect(truth.nodes.find(({ name }) => name === 'pve3')?.fansDown).toEqual(['FAN3'])
  })
})

test('bad input: exit 2, one line a fault with its path, nothing on stdout', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['lab', 'serve'], /snapshot/],
    [['lab', 'serve', '--snapshot', '/nope.json'], /\/nope\.json/],
    [['lab', 'serve', '--snapshot', EXAMPLE, '--speed', 'fast'], /--speed/],
    [['lab', 'serve', '--snapshot', EXAMPLE, '--speed', '-1'], /--speed/],
    [['lab', 'serve', '--snapshot', EXAMPLE, '--seed', '1.5'], /--seed/],
    [['lab', 'serve', '--snapshot', EXAMPLE, '--listen', '0.0.0.0:1'], /--listen/],
    [['lab', 'serve', '--snapshot', EXAMPLE, '--nope'], /--nope/],
    [['demo', '--seed', 'x'], /--seed/],
    [['demo', '--speed', '0'], /--speed/],
    [['demo', '--nope'], /--nope/],
    [['demo', 'nope'], /nope|argument/],
    [['serve'], /--config/],
  ]
  for (const [args, words] of cases) {
    const { code, out, err } = await coulisse(args)
    expect([args, code, out]).toEqual([args, 2, ''])
    expect(err).toMatch(words)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
  }
})
