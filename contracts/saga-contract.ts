/** What every saga engine promises. Run by the engine in memory and by the one on DBOS. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '#domain/json'
import type { Clock } from '#ports/clock'
import type { SagaEngine, SagaStatus } from '#ports/saga'
import { type Ledger, RICH_EFFECTS, RICH_RESULT } from './saga-definitions.ts'

/** One rich saga that was killed and taken up again. */
export type CrashTrial = {
  readonly killedAt: string
  readonly result: Json
  /** Ledger lines in order. */
  readonly lines: readonly string[]
  readonly kills: number
}

export type SagaHarness = {
  readonly engine: SagaEngine
  readonly clock: Clock
  readonly ledger: Ledger
  /** Lets time pass until the saga has ended. */
  ended(id: string): Promise<SagaStatus>
  /** Lets time pass until the line stands in the ledger. */
  noted(line: string): Promise<void>
  /** The process dies and another takes up its sagas; with `change` that other one runs changed code. */
  restart(change?: 'changed-code'): Promise<void>
  /** Plays `playRich` once a moment of death. */
  crashTrials(): Promise<readonly CrashTrial[]>
  close(): Promise<void>
}

const NO_KEYS = { exclusive: [] }
const STEP_MS = 5_000

export function sagaContract(name: string, makeHarness: () => Promise<SagaHarness>): void {
  describe(`saga engine: ${name}`, () => {
    let harness: SagaHarness
    beforeAll(async () => {
      harness = await makeHarness()
    })
    afterAll(() => harness?.close())
    const it = () => harness

    describe('records', () => recordPromises(it))
    describe('messages', () => messagePromises(it))
    describe('children', () => childPromises(it))
    describe('exclusive keys', () => keyPromises(it))
    describe('crashes', () => crashPromises(it))
  })
}

const resultOf = async (harness: SagaHarness, id: string): Promise<Json> => {
  const status = await harness.ended(id)
  expect(status).toMatchObject({ is: 'ended' })
  return status.is === 'ended' ? status.result : null
}

function recordPromises(it: () => SagaHarness): void {
  test('starting twice is starting once', async () => {
    expect(await it().engine.start('ends', 'once', 1, NO_KEYS)).toEqual({ is: 'started' })
    expect(await it().engine.start('ends', 'once', 2, NO_KEYS)).toEqual({ is: 'exists' })
    expect(await resultOf(it(), 'once')).toBe(1)
    expect(await it().engine.list()).toContainEqual({
      id: 'once',
      definition: 'ends',
      status: { is: 'ended', result: 1 },
    })
  })

  test('an unknown definition, an id with a slash and an unknown saga are refused', async () => {
    const { engine } = it()
    await expect(engine.start('nothing', 'u1', null, NO_KEYS)).rejects.toThrow('no definition "nothing"')
    await expect(engine.start('ends', 'u/1', null, NO_KEYS)).rejects.toThrow('no "/"')
    await expect(engine.send('u2', 'news', null, 'k')).rejects.toThrow('no such saga')
    expect(await engine.status('u2')).toBeUndefined()
  })

  test('what does not survive JSON shows in the first run', async () => {
    await it().engine.start('not-json', 'json', null, NO_KEYS)
    expect(await resultOf(it(), 'json')).toBe('string')
  })

  test.each([
    { retry: 'never', failures: 1, tries: 1, answer: 'DriverError ceph: look: silence' },
    { retry: 'now', failures: 2, tries: 3, answer: undefined },
    { retry: 'now', failures: 9, tries: 3, answer: 'DriverError ceph: look: silence' },
    { retry: 'later', failures: 3, tries: 4, answer: undefined },
  ] as const)(
    'a DriverError for $retry that comes $failures times is tried $tries times, also after a restart',
    async (one) => {
      const { retry, failures, tries } = one
      const id = `flaky-${retry}-${failures}`
      await it().engine.start('flaky', id, { retry, failures }, NO_KEYS)
      await it().noted(`${id} tries`)
      await it().restart()
      await it().engine.send(id, 'go', null, 'go')
      expect(await resultOf(it(), id)).toBe(one.answer ?? `${id}#0`)
      const tried = (await it().ledger.lines()).filter((line) => line === `${id} tries`)
      expect(tried.length).toBeGreaterThanOrEqual(tries)
      expect(tried.length).toBeLessThanOrEqual(tries + failures)
    },
  )

  test('a bug ends the saga as crashed, with its text', async () => {
    await it().engine.start('bug', 'bug', null, NO_KEYS)
    expect(await it().ended('bug')).toEqual({ is: 'crashed', text: 'undefined is not a guest' })
  })

  test('two operations at once are noticed, and no catch hides it', async () => {
    await it().engine.start('overlapping', 'overlap', null, NO_KEYS)
    expect(await it().ended('overlap')).toMatchObject({ is: 'crashed', text: expect.stringContaining('still runs') })
  })
}

function messagePromises(it: () => SagaHarness): void {
  test('messages come in the order sent, once each, and a topic does not see another', async () => {
    const { engine } = it()
    await engine.start('reads-three', 'news', null, NO_KEYS)
    await engine.send('news', 'news', 'one', 'k1')
    await engine.send('news', 'other', 'aside', 'k2')
    await engine.send('news', 'news', 'two', 'k3')
    await engine.send('news', 'news', 'not one again', 'k1')
    await engine.send('news', 'news', { three: 3 }, 'k4')
    expect(await resultOf(it(), 'news')).toEqual(['one', 'two', { three: 3 }, 'aside', 'deadline'])
  })

  test('a pause reaches every child within one short step', async () => {
    const { engine, clock } = it()
    await engine.start('pausable-parent', 'pausable', null, NO_KEYS)
    await it().noted('x follows')
    const sentAtMs = await clock.nowMs()
    await engine.send('pausable', 'control', 'pause', 'p1')
    const children = (await resultOf(it(), 'pausable')) as { value: { word: string; atMs: number } }[]
    expect(children.map(({ value }) => value.word)).toEqual(['pause', 'pause', 'pause'])
    for (const { value } of children) expect(value.atMs - sentAtMs).toBeLessThanOrEqual(STEP_MS)
  })
}

function childPromises(it: () => SagaHarness): void {
  test.each([1, 3, 8])(
    'at most %i children run at once, and results come in the order of the inputs',
    async (limit) => {
      const before = (await it().ledger.lines()).length
      await it().engine.start('spread', `spread-${limit}`, { count: 10, limit }, NO_KEYS)
      const results = (await resultOf(it(), `spread-${limit}`)) as Json[]
      expect(results).toEqual(
        Array.from({ length: 10 }, (_, n) =>
          n === 3 ? { is: 'error', text: 'three is broken' } : { is: 'ok', value: n * n },
        ),
      )
      const lines = (await it().ledger.lines()).slice(before).filter((line) => /^(in|out) /.test(line))
      let running = 0
      let most = 0
      for (const line of lines) {
        running += line.startsWith('in') ? 1 : -1
        most = Math.max(most, running)
      }
      expect(most).toBeLessThanOrEqual(limit)
      // That they run side by side at all, the rich saga shows: its children wait for a message that is sent when two have begun.
      expect(Number(lines[0]?.slice('in '.length))).toBeLessThan(limit)
    },
  )

  test('no children is an empty list', async () => {
    await it().engine.start('spread', 'spread-none', { count: 0, limit: 1 }, NO_KEYS)
    expect(await resultOf(it(), 'spread-none')).toEqual([])
  })

  test('a limit outside 1 to 8 crashes the saga', async () => {
    await it().engine.start('spread', 'spread-wild', { count: 1, limit: 9 }, NO_KEYS)
    expect(await it().ended('spread-wild')).toMatchObject({ is: 'crashed', text: expect.stringContaining('limit 9') })
  })
}

function keyPromises(it: () => SagaHarness): void {
  test('who holds a key is named, both keys are taken or none, and an end gives them back', async () => {
    const { engine } = it()
    await engine.start('reads-three', 'holder', null, { exclusive: ['cluster:mad1', 'ceph:f1'] })
    const second = await engine.start('ends', 'second', 1, { exclusive: ['cluster:mad2', 'ceph:f1'] })
    expect(second).toEqual({ is: 'busy', key: 'ceph:f1', by: 'holder' })
    expect(await engine.status('second')).toBeUndefined()
    expect(await engine.start('ends', 'third', 1, { exclusive: ['cluster:mad2'] })).toEqual({ is: 'started' })
    await expect(engine.release('holder')).rejects.toThrow('still runs')
    for (const key of ['a', 'b', 'c']) await engine.send('holder', 'news', key, key)
    await it().ended('holder')
    expect(await engine.start('ends', 'second', 1, { exclusive: ['cluster:mad1', 'ceph:f1'] })).toEqual({
      is: 'started',
    })
  })

  test.each([
    { definition: 'ends', input: { ending: 'stuck', text: 'the lamp' } },
    { definition: 'bug', input: null },
  ])('a saga that ends stuck or crashed ($definition) keeps its keys until a person releases them', async (one) => {
    const { engine } = it()
    const [id, exclusive] = [`kept-${one.definition}`, [`cluster:${one.definition}`]]
    await engine.start(one.definition, id, one.input, { exclusive })
    await it().ended(id)
    expect(await engine.start('ends', `${id}-2`, 1, { exclusive })).toMatchObject({ is: 'busy', by: id })
    await engine.release(id)
    expect(await engine.start('ends', `${id}-2`, 1, { exclusive })).toEqual({ is: 'started' })
    await it().restart()
    expect(await engine.status(id)).not.toMatchObject({ is: 'running' })
  })
}

function crashPromises(it: () => SagaHarness): void {
  test('a sleep survives, and does not begin again', async () => {
    await it().engine.start('sleeper', 'sleeper', 4_000, NO_KEYS)
    await it().noted('sleeps')
    await it().restart()
    const sleptMs = await resultOf(it(), 'sleeper')
    expect(sleptMs).toBeGreaterThanOrEqual(4_000)
  })

  test('other inputs of a fan-out are noticed too', async () => {
    await it().engine.start('changing-inputs', 'inputs', null, NO_KEYS)
    await it().noted('spread')
    await it().restart('changed-code')
    expect(await it().ended('inputs')).toMatchObject({ is: 'crashed', text: expect.stringContaining('other inputs') })
    await it().engine.release('inputs')
    await it().restart()
  })

  test('changed code is noticed, loudly; the code as it was goes on where it stood', async () => {
    await it().engine.start('changing', 'changing', null, { exclusive: ['cluster:changing'] })
    await it().noted('first ran')
    await it().restart('changed-code')
    expect(await it().ended('changing')).toMatchObject({ is: 'crashed', text: expect.stringContaining('another') })
    const second = await it().engine.start('ends', 'changing-2', 1, { exclusive: ['cluster:changing'] })
    expect(second).toMatchObject({ is: 'busy', by: 'changing' })
    await it().restart()
    await it().engine.send('changing', 'go', null, 'go')
    expect(await resultOf(it(), 'changing')).toBe('unharmed')
    expect((await it().ledger.lines()).filter((line) => line === 'first ran')).toHaveLength(1)
  })

  test('a rich saga that is killed at any moment ends as one that never was', { timeout: 180_000 }, async () => {
    const trials = await it().crashTrials()
    expect(trials.length).toBeGreaterThan(0)
    for (const { killedAt, result, lines } of trials) {
      expect(result, killedAt).toEqual(RICH_RESULT)
      const effects = lines.filter((line) => !line.startsWith('look '))
      expect([...effects].sort(), killedAt).toEqual([...RICH_EFFECTS].sort())
      expect(effects.indexOf('lamp 7 off'), killedAt).toBeLessThan(effects.indexOf('flag off'))
    }
  })

  test('a kill repeats no more acts than were under way', async () => {
    for (const { killedAt, lines, kills } of await it().crashTrials()) {
      const looks = lines.filter((line) => line.startsWith('look '))
      expect(looks.length - RICH_EFFECTS.length, killedAt).toBeLessThanOrEqual(2 * kills)
      expect(looks.length, killedAt).toBeGreaterThanOrEqual(RICH_EFFECTS.length)
    }
  })
}
