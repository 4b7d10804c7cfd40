/** The sagas that the contract of the saga engine runs. Their effects are lines in a ledger that outlives every crash. */
import { DriverError } from '#domain/driver-error'
import type { Json } from '#domain/json'
import type { Clock } from '#ports/clock'
import type { Saga, SagaEngine, SagaFunction } from '#ports/saga'

/** The outside world of the contract: lines that were written, in order. */
export type Ledger = {
  note(line: string): Promise<void>
  lines(): Promise<readonly string[]>
}

export type Definitions = Readonly<Record<string, SagaFunction>>

/** A bug that appears between two runs: what a definition does once this is set differs from what it recorded. */
export type Changeable = { isChanged: boolean }

export function contractDefinitions(world: {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly code?: Changeable
}): Definitions {
  const { ledger, clock } = world
  const code = world.code ?? { isChanged: false }
  const definitions = {
    ...richSaga(ledger),
    ...messageSagas(ledger, clock),
    ...failingSagas(ledger),
    ...fanOutSagas(ledger),
    changing: async (saga: Saga) => {
      await saga.step(code.isChanged ? 'another' : 'first', async () => ledger.note('first ran'))
      await saga.receive('go', Number.MAX_SAFE_INTEGER)
      return 'unharmed'
    },
    'changing-inputs': async (saga: Saga) => {
      await saga.fanOut('ends', code.isChanged ? [1, 2] : [1, 2, 3], 2)
      await saga.step('spread', async () => ledger.note('spread'))
      await saga.receive('go', Number.MAX_SAFE_INTEGER)
      return 'unharmed'
    },
    ends: async (_saga: Saga, result: Json) => result,
    sleeper: async (saga: Saga, forMs: number) => {
      const beganMs = await saga.nowMs()
      await ledger.note('sleeps')
      await saga.sleepUntil(beganMs + forMs)
      return (await saga.nowMs()) - beganMs
    },
  }
  return definitions as Definitions
}

/** An effect that looks first, as every step must. */
async function once(ledger: Ledger, line: string): Promise<void> {
  await ledger.note(`look ${line}`)
  if (!(await ledger.lines()).includes(line)) await ledger.note(line)
}

/** How long the far ends of the contract's waits lie ahead; nobody waits for them. */
const FAR_MS = 3_600_000

function richSaga(ledger: Ledger) {
  const child = async (saga: Saga, name: string) => {
    await saga.step(`begin ${name}`, () => once(ledger, `begin ${name}`))
    const heard = await saga.receive<string>('control', (await saga.nowMs()) + FAR_MS)
    await saga.step(`end ${name}`, () => once(ledger, `end ${name}`))
    return `${name} heard ${heard}`
  }
  const rich = async (saga: Saga) => {
    const beganMs = await saga.nowMs()
    await saga.step('flag', () => once(ledger, 'flag on'), {
      undo: () => saga.step('unflag', () => once(ledger, 'flag off')),
    })
    await saga.sleepUntil(beganMs + 2_000)
    const early = await saga.receive<string>('control', beganMs)
    await saga.step('lamp', async () => ({ lamp: 7 }), {
      undo: async ({ lamp }) => {
        await saga.step(`lamp ${lamp} off`, () => once(ledger, `lamp ${lamp} off`))
        throw new Error('the lamp is stuck')
      },
    })
    const children = await saga.fanOut<string, string>('rich-child', ['a', 'b', 'c', 'd'], 2)
    const late = await saga.receive<string>('control', 0)
    const silence = await saga.receive<string>('never', (await saga.nowMs()) + 3_000)
    const error = await saga
      .step('refused', async () => {
        throw new DriverError('proxmox', 'migrate guest 101', { retry: 'never', text: 'no' })
      })
      .catch((reason: unknown) =>
        reason instanceof DriverError ? `${reason.retry} ${reason.message}` : 'another error',
      )
    const abort = await saga.receive<string>('abort', (await saga.nowMs()) + FAR_MS)
    const failures = await saga.takeBack()
    await saga.step('last', () => once(ledger, 'last'))
    return { early, children, late, silence, error, abort, failures, again: await saga.takeBack() }
  }
  return { rich, 'rich-child': child }
}

/** What the rich saga gives, however often it was killed. */
export const RICH_RESULT: Json = {
  early: 'sent before anybody waited',
  children: ['a', 'b', 'c', 'd'].map((name) => ({ is: 'ok', value: `${name} heard go` })),
  late: 'go',
  silence: 'deadline',
  error: 'never proxmox: migrate guest 101: no',
  abort: 'please',
  failures: [{ name: 'lamp', text: 'the lamp is stuck' }],
  again: [],
}

export const RICH_EFFECTS: readonly string[] = [
  'flag on',
  ...['a', 'b', 'c', 'd'].flatMap((name) => [`begin ${name}`, `end ${name}`]),
  'lamp 7 off',
  'flag off',
  'last',
]

/** What people do while the rich saga runs; each call may be repeated after a crash. */
export async function playRich(world: {
  readonly id: string
  readonly engine: Pick<SagaEngine, 'start' | 'send'>
  readonly noted: (line: string) => Promise<void>
}): Promise<void> {
  const { id, engine, noted } = world
  await engine.start('rich', id, null, { exclusive: [`cluster:${id}`] })
  await engine.send(id, 'control', 'sent before anybody waited', 'early')
  await noted('begin b')
  await engine.send(id, 'control', 'go', 'go')
  await noted('end d')
  await engine.send(id, 'abort', 'please', 'abort')
}

function messageSagas(ledger: Ledger, clock: Clock) {
  return {
    'reads-three': async (saga: Saga) => {
      const heard: Json[] = []
      for (let n = 0; n < 3; n++) heard.push(await saga.receive('news', (await saga.nowMs()) + FAR_MS))
      heard.push(await saga.receive('other', 0), await saga.receive('news', 0))
      return heard
    },
    'pausable-parent': (saga: Saga) => saga.fanOut<string, Json>('pausable', ['x', 'y', 'z'], 3) as Promise<Json>,
    pausable: async (saga: Saga, name: string) => {
      for (let n = 0; n < 200; n++) {
        await saga.step(`follow ${n}`, async () => ledger.note(`${name} follows`))
        const word = await saga.receive<string>('control', (await saga.nowMs()) + 2_000)
        if (word === 'deadline') continue
        return { name, word, atMs: await saga.step('stop', () => clock.nowMs()) }
      }
      return 'never heard'
    },
  }
}

function failingSagas(ledger: Ledger) {
  const count = async (line: string) => (await ledger.lines()).filter((one) => one === line).length
  return {
    flaky: async (saga: Saga, { retry, failures }: { retry: 'now' | 'later' | 'never'; failures: number }) => {
      const answer = await saga
        .step(`try ${retry}`, async (key) => {
          await ledger.note(`${saga.id} tries`)
          if ((await count(`${saga.id} tries`)) <= failures)
            throw new DriverError('ceph', 'look', { retry, text: 'silence' })
          return key
        })
        .catch((error: Error) => `${error.name} ${error.message}`)
      await saga.receive('go', (await saga.nowMs()) + FAR_MS)
      return answer
    },
    'not-json': async (saga: Saga) => {
      const step = await saga.step('date', async () => new Date(0) as unknown as string)
      return typeof step
    },
    bug: async (saga: Saga) => {
      await saga.step('bug', async () => {
        throw new TypeError('undefined is not a guest')
      })
      return 'unreachable'
    },
    overlapping: async (saga: Saga) => {
      await Promise.all([saga.step('one', async () => 1), saga.step('two', async () => 2)]).catch(() => 'hidden')
      return 'hidden'
    },
  }
}

function fanOutSagas(ledger: Ledger) {
  return {
    spread: (saga: Saga, { count, limit }: { count: number; limit: number }) =>
      saga.fanOut<number, Json>(
        'spread-child',
        Array.from({ length: count }, (_, n) => n),
        limit,
      ) as Promise<Json>,
    'spread-child': async (saga: Saga, n: number) => {
      await saga.step('in', async () => ledger.note(`in ${n}`))
      // The later ones are faster, so that an order by ending would show.
      await saga.sleepUntil((await saga.nowMs()) + 2_000 - n * 100)
      await saga.step('out', async () => ledger.note(`out ${n}`))
      if (n === 3) throw new Error('three is broken')
      return n * n
    },
  }
}
