import { Agent, request } from 'undici'
import { afterEach, expect, test } from 'vitest'
import { guest, smallLab, smallSnapshot } from '../testing/small-world.ts'
import { CALM_WAY, serveFaultProxy, type WayFault } from './fault-proxy.ts'
import { serveProxmox } from './proxmox/serve.ts'
import { selfSignedCertificate } from './tls.ts'

let open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.reverse()) await one.close()
  open = []
})

/** A lab behind a proxy at which the one fault always strikes. */
async function behind(fault?: WayFault) {
  const lab = smallLab({ snapshot: smallSnapshot({ guests: [guest(101, 'pve3')] }) })
  const names = Object.keys(lab.state.nodes)
  const certificates = Object.fromEntries(names.map((name) => [name, selfSignedCertificate(name, Date.now())]))
  const served = await serveProxmox({ lab, onChange: () => {}, certificates })
  const slept: number[] = []
  const proxy = await serveFaultProxy({
    endpoints: served.endpoints,
    certificates,
    seed: 1,
    faults: fault === undefined ? CALM_WAY : { ...CALM_WAY, [fault]: 1 },
    nowMs: () => lab.state.nowMs,
    sleep: async (ms) => {
      slept.push(ms)
      lab.advanceTo(lab.state.nowMs + ms)
    },
  })
  const [entry] = proxy.endpoints
  if (entry === undefined) throw new Error('no endpoint')
  const agent = new Agent({ connect: { ca: certificates[entry.node]?.cert ?? '' } })
  open.push(served, proxy, { close: () => agent.destroy() })
  const ask = async (method: 'GET' | 'POST', path: string, body?: string) => {
    const answer = await request(`${entry.url}/api2/json${path}`, {
      method,
      dispatcher: agent,
      headers: {
        authorization: `PVEAPIToken=${entry.tokenId}=${entry.tokenSecret}`,
        ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(body === undefined ? {} : { body }),
    })
    return { status: answer.statusCode, text: await answer.body.text() }
  }
  const migrate = () => ask('POST', '/nodes/pve3/qemu/101/migrate', 'target=pve1&online=1')
  return { lab, proxy, slept, ask, migrate }
}

test('a way without faults hands on what is asked and what is answered', async () => {
  const { lab, ask, migrate, proxy } = await behind()
  expect(await ask('GET', '/version')).toMatchObject({ status: 200 })
  expect((await migrate()).text).toContain('UPID:pve3:')
  expect(Object.values(lab.state.tasks)).toHaveLength(1)
  expect(proxy.figures).toMatchObject({ requests: 2, answered: 2 })
})

test('a cut before it: nothing happened; a cut after it, or inside its answer: it happened', async () => {
  for (const [fault, tasks] of [
    ['cut-before', 0],
    ['cut-after', 1],
    ['cut-inside', 1],
  ] as const) {
    const { lab, migrate, proxy } = await behind(fault)
    await expect(migrate()).rejects.toThrow()
    expect({ fault, tasks: Object.values(lab.state.tasks).length }).toEqual({ fault, tasks })
    expect(proxy.figures[fault]).toBe(1)
  }
})

test('the world goes on while an answer is late', async () => {
  const { lab, slept, ask } = await behind('delayed')
  const beganMs = lab.state.nowMs
  await ask('GET', '/version')
  expect(slept).toHaveLength(1)
  expect(lab.state.nowMs - beganMs).toBe(slept[0])
})

test('an old answer comes again, until it is older than the cluster’s own list can be', async () => {
  const { lab, ask } = await behind('old-answer')
  const status = async () => JSON.parse((await ask('GET', '/nodes/pve3/time')).text).data.time
  const first = await status()
  lab.advanceTo(lab.state.nowMs + 10_000)
  expect(await status()).toBe(first)
  lab.advanceTo(lab.state.nowMs + 11_000)
  expect(await status()).toBe(first + 21)
})

test('a request that is sent twice acts once where Proxmox locks, and the refusal of the second is what comes back', async () => {
  const { lab, migrate } = await behind('sent-twice')
  expect(await migrate()).toMatchObject({ status: 500 })
  expect(Object.values(lab.state.tasks)).toHaveLength(1)
})
