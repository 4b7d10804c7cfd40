/** What a network and a node can do to a call besides answering it: each ends in time, as a DriverError that says what to do. */

import type { ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { bench } from '#contracts/proxmox-bench'
import { composed, dataOf, recording } from '#contracts/replay-proxmox'
import { DriverError } from '#domain/driver-error'
import { nodeName, vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { type LabCertificate, selfSignedCertificate } from '#lab/wire/tls'
import type { Hypervisor } from '#ports/hypervisor'
import { type ClientConfig, type ProxmoxClient, proxmoxClient } from './client.ts'
import { proxmoxHypervisor } from './hypervisor.ts'
import { exitOfLine, outcomeOf, readLog } from './task-log.ts'
import type { EntryPoint } from './transport.ts'

let open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.reverse()) await one.close()
  open = []
})

const NOW_MS = Date.parse('2026-11-22T12:00:00Z')
const CERTIFICATE = selfSignedCertificate('pve1', NOW_MS)
const ANOTHER = selfSignedCertificate('pve1', NOW_MS)
const doing = 'try it'

type Handler = (response: ServerResponse, path: string) => void

async function serve(handler: Handler, certificate: LabCertificate = CERTIFICATE, port = 0) {
  const server: Server = createServer({ key: certificate.key, cert: certificate.cert }, (request, response) =>
    handler(response, request.url ?? ''),
  )
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  open.push({ close: () => (server.listening ? close() : undefined) })
  return { port: (server.address() as AddressInfo).port, close }
}

const entryAt = (port: number, trust: Partial<EntryPoint> = { fingerprint256: CERTIFICATE.fingerprint256 }) => ({
  url: `https://127.0.0.1:${port}`,
  tokenId: 'coulisse@pve!drain',
  tokenSecret: secret('s'),
  ...trust,
})

function clientOf(entryPoints: readonly EntryPoint[], more: Partial<ClientConfig> = {}): ProxmoxClient {
  const client = proxmoxClient({
    entryPoints,
    readDeadlineMs: 200,
    writeDeadlineMs: 200,
    pause: async () => {},
    ...more,
  })
  open.push(client)
  return client
}

async function failureOf(work: Promise<unknown>): Promise<DriverError> {
  const error = await work.then(
    (value) => value,
    (caught: unknown) => caught,
  )
  expect(error).toBeInstanceOf(DriverError)
  return error as DriverError
}

const both = async (client: ProxmoxClient) => ({
  read: await failureOf(client.get(z.string(), { doing, path: '/x' })),
  write: await failureOf(client.write('POST', z.string(), { doing, path: '/x' })),
})

const CUT: Readonly<Record<string, { readonly answer: Handler; readonly text: RegExp }>> = {
  'a connection that is cut before the answer': {
    answer: (response) => response.destroy(),
    text: /other side closed|hang up/,
  },
  'a connection that is cut in the middle of the body': {
    answer: (response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{"data":"ha', () => response.destroy())
    },
    text: /closed|aborted|terminated/,
  },
  'a body that comes letter by letter': {
    answer: (response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write(' '), 20)
      response.once('close', () => clearInterval(drip))
    },
    text: /no answer within 200 ms/,
  },
  silence: { answer: () => {}, text: /no answer within 200 ms/ },
  'a page of HTML': { answer: (response) => response.end('<html>Log in</html>'), text: /not Proxmox's JSON: <html>/ },
  'half of a JSON': { answer: (response) => response.end('{"data":[{"vm'), text: /not Proxmox's JSON/ },
  'an empty body': { answer: (response) => response.end(), text: /not Proxmox's JSON: empty/ },
  'a 200 that holds an error': {
    answer: (response) => response.end('{"data":null,"message":"internal error"}'),
    text: /200, and an error inside: internal error/,
  },
}

for (const [what, { answer, text }] of Object.entries(CUT)) {
  test(`${what}: a read is to be tried later, a write is in doubt`, async () => {
    const { port } = await serve(answer)
    const { read, write } = await both(clientOf([entryAt(port)]))
    expect(read).toMatchObject({ retry: 'later' })
    expect(read.message).toMatch(text)
    expect(write).toMatchObject({ retry: 'later' })
    expect(write.message).toContain('may have been carried out; look before acting again')
  })
}

test('an answer beyond the limit is cut while it streams, and asking again does not help', async () => {
  let sentBytes = 0
  const { port } = await serve((response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 20, 32))) sentBytes += 1 << 20
      sentBytes += 1 << 20
    }
    response.on('drain', more)
    more()
  })
  const client = clientOf([entryAt(port)], { readDeadlineMs: 20_000 })
  const error = await failureOf(client.get(z.unknown(), { doing, path: '/x' }))
  expect(error).toMatchObject({ retry: 'never' })
  expect(error.message).toContain('larger than 33554432 bytes')
  expect(sentBytes).toBeLessThan(3 * 64 * 2 ** 20)
})

test('a certificate that changes between two calls gets nothing of the second', async () => {
  let asked = 0
  const first = await serve((response) => response.end(`{"data":"${++asked}"}`))
  const client = clientOf([entryAt(first.port)])
  expect(await client.get(z.string(), { doing, path: '/x' })).toBe('1')
  await first.close()
  await serve((response) => response.end(`{"data":"${++asked}"}`), ANOTHER, first.port)
  const { read, write } = await both(client)
  expect(read).toMatchObject({ retry: 'never' })
  expect(read.message).toContain('pinned')
  expect(write.message).toContain('nothing was sent')
  expect(asked).toBe(1)
})

test('an authority in the place of a pin: its certificates are trusted, others get nothing', async () => {
  let asked = 0
  const { port } = await serve((response) => response.end(`{"data":"${++asked}"}`))
  expect(await clientOf([entryAt(port, { ca: CERTIFICATE.cert })]).get(z.string(), { doing, path: '/x' })).toBe('1')
  for (const trust of [{ ca: ANOTHER.cert }, {}]) {
    const error = await failureOf(clientOf([entryAt(port, trust)]).get(z.string(), { doing, path: '/x' }))
    expect(error).toMatchObject({ retry: 'never' })
    expect(error.message).toContain('nothing was sent')
  }
  expect(asked).toBe(1)
})

test('an entry point that failed is asked last for a while; one that tells of a dead node behind it is not blamed', async () => {
  const asked: string[] = []
  const broken = await serve((response) => {
    asked.push('broken')
    response.destroy()
  })
  const well = await serve((response, path) => {
    asked.push('well')
    if (path.endsWith('/dead')) response.writeHead(595, 'No route to host')
    response.end('{"data":"here"}')
  })
  const client = clientOf([entryAt(broken.port), entryAt(well.port)])
  for (const path of ['/x', '/y']) expect(await client.get(z.string(), { doing, path })).toBe('here')
  expect(asked).toEqual(['broken', 'well', 'well'])
  await failureOf(client.get(z.string(), { doing, path: '/dead' }))
  asked.length = 0
  expect(await client.get(z.string(), { doing, path: '/z' })).toBe('here')
  expect(asked).toEqual(['well'])
})

const [pve1, pve2] = [nodeName('pve1'), nodeName('pve2')]
const TASK = 'UPID:pve1:000003AA:0002C1F7:6B029ACB:qmigrate:100:api@pve!full:'
/** A key for every method of the port: a new one does not compile without its call here. */
const METHODS: Readonly<Record<keyof Hypervisor, (hypervisor: Hypervisor) => Promise<unknown>>> = {
  observe: (hypervisor) => hypervisor.observe({ avoid: pve1 }),
  locate: (hypervisor) => hypervisor.locate(vmid(100)),
  listedOn: (hypervisor) => hypervisor.listedOn(pve1),
  runningOn: (hypervisor) => hypervisor.runningOn(pve1),
  migrate: (hypervisor) =>
    hypervisor.migrate({ guest: vmid(100), from: pve1, to: pve2, mode: 'live', withLocalDisks: false }),
  findMigration: (hypervisor) => hypervisor.findMigration({ guest: vmid(100), from: pve1, sinceMs: NOW_MS }),
  follow: (hypervisor) => hypervisor.follow(TASK),
  cancelMigration: (hypervisor) => hypervisor.cancelMigration(TASK),
  setMaintenanceMode: (hypervisor) => hypervisor.setMaintenanceMode(pve1, true),
  maintenanceMode: (hypervisor) => hypervisor.maintenanceMode(pve1),
  shutDown: (hypervisor) => hypervisor.shutDown(pve1),
  nodeOnline: (hypervisor) => hypervisor.nodeOnline(pve1),
  hardware: (hypervisor) => hypervisor.hardware(pve1),
}

const ENDS_WITHIN_MS = 5_000

for (const kind of ['takes the request', 'takes the connection'] as const) {
  for (const [method, call] of Object.entries(METHODS)) {
    test(`${method} ends in time where a node ${kind} and says nothing`, async () => {
      const port = kind === 'takes the request' ? (await serve(() => {})).port : await mute()
      const hypervisor = proxmoxHypervisor({
        entryPoints: [{ ...entryAt(port), node: 'pve3' }],
        clock: { nowMs: async () => NOW_MS, sleepUntil: async () => {} },
        linkBitsPerSecond: 10e9,
        readDeadlineMs: 40,
        writeDeadlineMs: 40,
        pause: async () => {},
      })
      open.push(hypervisor)
      const ended = call(hypervisor).then(
        () => 'ended',
        (error: unknown) => (error instanceof DriverError ? 'ended' : error),
      )
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise((resolve) => {
        timer = setTimeout(() => resolve('late'), ENDS_WITHIN_MS)
      })
      expect(await Promise.race([ended, late])).toBe('ended')
      clearTimeout(timer)
    })
  }
}

/** Not even TLS. */
async function mute(): Promise<number> {
  const server = createTcpServer(() => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({ close: () => server.close() })
  return (server.address() as AddressInfo).port
}

test('a stop whose answer was lost: the task is looked at before it is stopped again', async () => {
  const made = await bench(['pve1', 'pve2', 'pve3'], {
    'GET /cluster/status': recording('cluster-status'),
    [`DELETE /nodes/pve1/tasks/${TASK}`]: { status: 596, reason: 'Connection timed out', body: '' },
    [`GET /nodes/pve1/tasks/${TASK}/log`]: recording('task-log-migrate-interrupted'),
    [`GET /nodes/pve1/tasks/${TASK}/status`]: recording('task-status-migrate-interrupted'),
  })
  open.push(made)
  await failureOf(made.hypervisor.cancelMigration(TASK))
  await made.hypervisor.cancelMigration(TASK)
  expect(made.replay.asked.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
})

test('a shutdown whose answer was lost: said again only where the node has not begun', async () => {
  const lost = { status: 596, reason: 'Connection timed out', body: '' }
  const stopAll = { upid: 'UPID:pve1:1:1:1:stopall::root@pam:', type: 'stopall', starttime: NOW_MS / 1000 }
  const made = await bench(['pve1', 'pve2', 'pve3'], {
    'GET /cluster/status': recording('cluster-status'),
    'POST /nodes/pve1/status': lost,
    'GET /nodes/pve1/tasks': [composed([]), composed([stopAll])],
  })
  open.push(made)
  const said = () => made.replay.asked.filter(({ method }) => method === 'POST').length
  await failureOf(made.hypervisor.shutDown(pve1))
  await failureOf(made.hypervisor.shutDown(pve1))
  expect(said()).toBe(2)
  await made.hypervisor.shutDown(pve1)
  expect(said()).toBe(2)
})

test('whatever a log, a status and a task list hold, the end of a move is one of four, never a crash', async () => {
  const recorded = [
    'migrate-task-log-ok',
    'task-log-migrate-interrupted',
    'task-log-migrate-offline-interrupted',
    'task-log-warnings',
  ].flatMap((name) => dataOf<{ t: string }[]>(name).map(({ t }) => t))
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(...recorded),
    fc.tuple(fc.constantFrom(...recorded), fc.nat(60)).map(([text, at]) => text.slice(0, at)),
    fc.string().map((text) => `TASK ERROR: ${text}`),
  )
  fc.assert(
    fc.property(fc.array(line), fc.string(), (lines, status) => {
      const log = readLog(lines)
      for (const figure of [
        log.transferredBytes,
        log.totalBytes,
        log.allowedPauseMs,
        log.blackoutMs,
        log.bytesPerSecond,
      ]) {
        if (figure !== 'unknown') expect(Number.isFinite(figure) && figure >= 0).toBe(true)
      }
      const exit = exitOfLine(lines.at(-1) ?? '') ?? status
      expect(['ok', 'failed', 'cancelled', 'unknown']).toContain(outcomeOf(exit, log))
      if (outcomeOf(exit, log) === 'ok') expect(exit).toMatch(/^(OK|WARNINGS: \d+)$/)
    }),
    { numRuns: 500 },
  )
})
