import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import { labPorts } from '#lab/ports/lab-ports'
import { pve1, pve3, START_AT_MS, smallLab, smallSnapshot } from '#lab/testing/small-world'
import { Keeper, type Pace, QUIET_BEFORE_JUMP_REAL_MS } from './keeper.ts'
import { startLabProcess } from './lab-process.ts'

/** Real time by hand. */
function keeperByHand(pace: Pace) {
  const real = { nowMs: 1000 }
  const lab = smallLab()
  const keeper = new Keeper({ lab, pace, realNowMs: () => real.nowMs, onChange: () => {} })
  const pass = (ms: number) => {
    real.nowMs += ms
    keeper.tick()
  }
  return { lab, keeper, pass }
}

test('world time stands while nobody waits, however long', () => {
  const { keeper, pass } = keeperByHand({ speed: 'max', mode: 'follow' })
  pass(60_000)
  expect(keeper.nowMs).toBe(START_AT_MS)
})

test('with nothing in motion time jumps to the earliest waiter', async () => {
  const { keeper, pass } = keeperByHand({ speed: 'max', mode: 'follow' })
  const soon = keeper.waitUntil(START_AT_MS + 60_000)
  const late = keeper.waitUntil(START_AT_MS + 3_600_000)
  pass(QUIET_BEFORE_JUMP_REAL_MS)
  expect(await soon).toBe(START_AT_MS + 60_000)
  expect(keeper.nowMs).toBe(START_AT_MS + 60_000)
  expect(keeper.waiterCount).toBe(1)
  pass(1000)
  expect(await late).toBeLessThan(START_AT_MS + 3_600_000)
})

test('while a migration runs a second of real time is at most 20 of the world', async () => {
  const { lab, keeper, pass } = keeperByHand({ speed: 'max', mode: 'follow' })
  await labPorts(lab).hypervisor.migrate({
    guest: vmid(101),
    from: pve3,
    to: pve1,
    mode: 'live',
    withLocalDisks: false,
  })
  const wait = keeper.waitUntil(START_AT_MS + 60_000)
  for (let step = 0; step < 10; step++) pass(10)
  expect(keeper.nowMs).toBe(START_AT_MS + 2_000)
  pass(1000)
  expect(await wait).toBeLessThan(START_AT_MS + 60_000)
})

test('while a real process moves a second of the world is a second', async () => {
  const { lab, keeper, pass } = keeperByHand({ speed: 'max', mode: 'follow' })
  const guest = lab.state.guests['101']
  if (guest !== undefined) guest.real = true
  await labPorts(lab).hypervisor.migrate({
    guest: vmid(101),
    from: pve3,
    to: pve1,
    mode: 'live',
    withLocalDisks: false,
  })
  lab.advanceTo(START_AT_MS + 2_000)
  keeper.waitUntil(START_AT_MS + 60_000)
  for (let step = 0; step < 10; step++) pass(10)
  expect(keeper.nowMs).toBe(START_AT_MS + 2_100)
})

test('a control plane that dies while it waits stops time at once', async () => {
  const { keeper, pass } = keeperByHand({ speed: 'max', mode: 'follow' })
  const death = new AbortController()
  const wait = keeper.waitUntil(START_AT_MS + 60_000, { gone: death.signal })
  death.abort()
  pass(500)
  expect(await wait).toBe(START_AT_MS)
  expect(keeper.nowMs).toBe(START_AT_MS)
})

test('free running keeps its speed', () => {
  const { keeper, pass } = keeperByHand({ speed: 3, mode: 'free' })
  pass(100)
  expect(keeper.nowMs).toBe(START_AT_MS + 300)
})

async function post(url: string, body: unknown) {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test('the control server takes faults, refuses bad ones with what is wrong, and a lab that starts again goes on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coulisse-world-'))
  const options = {
    snapshot: smallSnapshot(),
    seed: 1,
    startAtMs: START_AT_MS,
    pace: { speed: 'max', mode: 'follow' },
    worldFile: join(folder, 'world.json'),
  } as const
  try {
    const first = await startLabProcess(options)
    expect(await post(`${first.controlUrl}/faults`, { kind: 'fan-stop', node: 'pve3', part: 'FAN9' })).toEqual({
      status: 400,
      body: { problems: ['$.part: pve3 has no fan FAN9'] },
    })
    expect((await post(`${first.controlUrl}/faults`, { kind: 'nonsense' })).status).toBe(400)
    expect((await post(`${first.controlUrl}/faults`, { kind: 'fan-stop', node: 'pve3' })).status).toBe(201)
    const waited = await post(`${first.controlUrl}/time/wait`, { untilMs: START_AT_MS + 30_000 })
    expect(waited.body).toEqual({ nowMs: START_AT_MS + 30_000 })
    await first.close()
    const second = await startLabProcess(options)
    const truth = (await (await fetch(`${second.controlUrl}/world`)).json()) as Record<string, unknown>
    expect(second.resumed).toBe(true)
    expect(truth).toMatchObject({ nowMs: START_AT_MS + 30_000, startedTwice: [], brokenPromises: [] })
    expect(truth.faults).toHaveLength(1)
    await second.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
