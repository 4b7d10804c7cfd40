/** Real sockets on the loopback: servers that answer, refuse, hang, and go away for a while. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import { LOST, type ProbeHow, type ProbeTarget, UNSENT } from '#domain/probing'
import { FpingHost, readFpingLine, startFping } from './fping.ts'
import { Lane, type Stretch } from './lanes.ts'
import { startProber } from './prober.ts'

const FPING = 'fping'
const closing: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const target = (id: string, how: ProbeHow): ProbeTarget => ({ id, guest: vmid(101), how })

async function listening(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

async function until(isSo: () => boolean, limitMs = 20_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error('it does not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Probes until every target was sent so many probes; what came of each, by target. */
async function probed(targets: readonly ProbeTarget[], count: number, periodMs = 50): Promise<Map<string, number[]>> {
  const stretches: Stretch[] = []
  let sent = 0
  const options = { targets, periodMs, onStretch: (one: Stretch) => stretches.push(one), onLateness: () => sent++ }
  const prober = startProber(options)
  await until(() => sent >= count * targets.length)
  await new Promise((resolve) => setTimeout(resolve, 200))
  await prober.stop()
  return new Map(
    targets.map(({ id }) => [id, stretches.filter((one) => one.target.id === id).flatMap((one) => one.answersUs)]),
  )
}

const share = (answers: readonly number[] | undefined, isSo: (us: number) => boolean) => {
  const sent = (answers ?? []).filter((us) => us !== UNSENT)
  return sent.length === 0 ? Number.NaN : sent.filter(isSo).length / sent.length
}

describe('probes over real sockets', () => {
  test('a server that listens is answered, one that refuses is lost', async () => {
    const port = await listening(createServer((socket) => socket.on('error', () => {})))
    const answers = await probed(
      [target('up', { is: 'tcp', host: '127.0.0.1', port }), target('down', { is: 'tcp', host: '127.0.0.1', port: 1 })],
      20,
    )
    expect(share(answers.get('up'), (us) => us >= 0)).toBeGreaterThan(0.9)
    expect(share(answers.get('down'), (us) => us === LOST)).toBe(1)
  })

  test('HTTP is answered by the expected status alone, and what hangs is lost', async () => {
    const server = createHttpServer((request, reply) => {
      if (request.url === '/hangs') return
      reply.statusCode = request.url === '/broken' ? 503 : 200
      reply.end('x'.repeat(2_000))
    })
    const port = await listening(server)
    closing.push(() => server.closeAllConnections())
    const at = (path: string) => ({ is: 'http', url: `http://127.0.0.1:${port}${path}`, status: 200 }) as const
    const answers = await probed(
      [target('ok', at('/')), target('broken', at('/broken')), target('hangs', at('/hangs'))],
      20,
    )
    expect(share(answers.get('ok'), (us) => us >= 0)).toBeGreaterThan(0.9)
    expect(share(answers.get('broken'), (us) => us === LOST)).toBe(1)
    expect(share(answers.get('hangs'), (us) => us === LOST)).toBe(1)
  })

  test('a server that is away for a while leaves a run of lost probes, and answers again', async () => {
    const first = createServer((socket) => socket.on('error', () => {}))
    first.listen(0, '127.0.0.1')
    await once(first, 'listening')
    const { port } = first.address() as AddressInfo
    const answers: number[] = []
    const stretches: Stretch[] = []
    let sent = 0
    const prober = startProber({
      targets: [target('web', { is: 'tcp', host: '127.0.0.1', port })],
      periodMs: 20,
      onStretch: (one) => stretches.push(one),
      onLateness: () => sent++,
    })
    await until(() => sent >= 20)
    await new Promise((resolve) => first.close(resolve))
    const wentAt = sent
    await until(() => sent >= wentAt + 20)
    await listening(
      createServer((socket) => socket.on('error', () => {})),
      port,
    )
    const cameAt = sent
    await until(() => sent >= cameAt + 20)
    await prober.stop()
    answers.push(...stretches.flatMap((one) => one.answersUs))
    const lost = answers.flatMap((us, index) => (us === LOST ? [index] : []))
    expect(lost.length).toBeGreaterThanOrEqual(10)
    expect(answers.slice(0, wentAt - 2).filter((us) => us >= 0).length).toBeGreaterThan(0)
    expect(answers.at(cameAt + 15)).not.toBe(LOST)
  })
})

describe('a lane', () => {
  const web = target('web', { is: 'tcp', host: 'x', port: 1 })

  test('does not send what comes a quarter of a period late, and keeps its beat', () => {
    const lane = new Lane(web, 1_000, 50)
    const answered = lane.take(1_001)
    if (answered !== 'late') answered(1_004.5)
    expect(lane.take(1_063)).toBe('late')
    lane.take(1_100)
    expect(lane.finished(Number.POSITIVE_INFINITY, true)).toMatchObject([
      { firstDueMs: 1_000, periodMs: 50, answersUs: [4_500, UNSENT, LOST] },
    ])
  })

  test('that stood still begins anew, and what lies between is in no stretch', () => {
    const lane = new Lane(web, 1_000, 50)
    lane.take(1_000)
    expect(lane.take(60_000)).toBe('late')
    lane.take(60_050)
    expect(
      lane.finished(Number.POSITIVE_INFINITY, true).map(({ firstDueMs, answersUs }) => [firstDueMs, answersUs.length]),
    ).toEqual([
      [1_000, 1],
      [60_050, 1],
    ])
  })

  test('takes no answer that comes after the limit, for the kernel may have asked twice', () => {
    const lane = new Lane(web, 1_000, 50)
    const answered = lane.take(1_000)
    if (answered !== 'late') answered(2_010)
    expect(lane.finished(Number.POSITIVE_INFINITY, true)[0]?.answersUs).toEqual([LOST])
  })
})

describe('fping', () => {
  const host = target('h', { is: 'icmp', host: '127.0.0.9' })

  test('lines that time out late find their place, also in the stretch before', () => {
    const lines = new FpingHost(host, 50)
    const stretches: Stretch[] = []
    const take = (index: number, us: number) => {
      const one = lines.take({ host: '127.0.0.9', index, us, sentAtMs: 1_000_000 + 50 * index })
      if (one !== undefined) stretches.push(one)
    }
    for (let index = 0; index < 400; index++) {
      if (index < 190 || index >= 210) take(index, 300)
      // Eighteen periods later come those that timed out.
      const late = index - 18
      if (late >= 190 && late < 210) take(late, LOST)
    }
    stretches.push(...lines.end())
    const all = stretches.flatMap(({ answersUs }) => answersUs)
    expect(all).toHaveLength(400)
    expect(all.flatMap((us, index) => (us === LOST ? [index] : []))).toEqual([...Array(20).keys()].map((n) => 190 + n))
    expect(all).not.toContain(UNSENT)
  })

  test('reads its lines, and nothing else', () => {
    expect(readFpingLine('[1700000000.50000] 10.0.0.1 : [17], 32 bytes, 0.250 ms (0.3 avg, 0% loss)')).toEqual({
      host: '10.0.0.1',
      index: 17,
      us: 250,
      sentAtMs: 1_700_000_000_499.75,
    })
    expect(readFpingLine('[1700000000.50000] 10.0.0.1 : [18], timed out (0.3 avg, 5% loss)')).toMatchObject({
      us: LOST,
    })
    expect(readFpingLine('ICMP Host Unreachable from 10.0.0.254 for ICMP Echo sent to 10.0.0.1')).toBeUndefined()
  })

  const hasFping = (() => {
    try {
      execFileSync(FPING, ['-c1', '-q', '127.0.0.1'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })()
  if (!hasFping) console.warn('left out: probes by fping (it is not installed here, or may not ping)')

  test.skipIf(!hasFping)('probes the loopback twenty times a second, and ends when it is told', async () => {
    const stretches: Stretch[] = []
    let lines = 0
    const fping = startFping({
      targets: [host, target('other', { is: 'icmp', host: '127.0.0.10' })],
      periodMs: 50,
      onStretch: (one) => stretches.push(one),
      onLine: () => lines++,
      log: () => {},
    })
    await until(() => lines >= 60)
    await fping.stop()
    expect(new Set(stretches.map((one) => one.target.id))).toEqual(new Set(['h', 'other']))
    for (const { answersUs } of stretches) expect(share(answersUs, (us) => us >= 0)).toBe(1)
  })
})
