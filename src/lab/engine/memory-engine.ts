/** The saga engine in memory, on virtual time. It recovers as DBOS does: the function runs again over JSON records. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { deadlineAt } from '#domain/deadline'
import { DriverError } from '#domain/driver-error'
import { canonicalJson, type Json } from '#domain/json'
import type { FanOutResult, SagaEngine, SagaFunction, SagaStatus, StartAnswer } from '#ports/saga'
import {
  type Child,
  type Cursors,
  isStuck,
  type Message,
  type Moment,
  NonDeterminism,
  RecordedSaga,
  type SagaHost,
  textOf,
} from '#ports/saga-over-records'
import { DATABASE_AWAY_TEXT } from '../memory-journal.ts'
import type { VirtualClock } from '../virtual-clock.ts'

/** Thrown by `onBoundary`: the whole process dies here, with all its sagas. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash'
}

export type MemoryEngineOptions = {
  readonly clock: VirtualClock
  readonly definitions: Readonly<Record<string, SagaFunction>>
  /** Called at every moment at which a process can die, counted from 0 over the engine's life. Throw SimulatedCrash to die there. */
  readonly onBoundary?: (n: number, where: string) => void
  /** Virtual time from a crash to the next start; without it the test calls `recover`. */
  readonly restartAfterMs?: number
  /** Runs every act twice and throws the first answer away, as a crash between effect and record would. */
  readonly everyStepTwice?: boolean
  /** The database is away until then, in the clock's true time. Nothing is recorded, sent or begun meanwhile. */
  readonly databaseAwayUntilMs?: () => number | undefined
  /** Around every act, for instance to make it fail. */
  readonly aroundAct?: <T>(where: { readonly saga: string; readonly step: string }, act: () => Promise<T>) => Promise<T>
}

/** A run that could record nothing for so long gives its saga back, as on DBOS. */
const DATABASE_PATIENCE_MS = 30_000

type Row = {
  readonly id: string
  readonly rootId: string
  readonly definition: string
  readonly input: string
  readonly cursors: Cursors
  readonly records: { readonly name: string; readonly json: string }[]
  status: SagaStatus
  isReleased: boolean
  whenEnded: (() => void)[]
}

type Letter = Message & { readonly topic: string; readonly key: string }

export class MemoryEngine implements SagaEngine {
  readonly #options: MemoryEngineOptions
  readonly #rows = new Map<string, Row>()
  readonly #letters = new Map<string, Letter[]>()
  readonly #readers = new Map<string, Set<() => void>>()
  readonly #holders = new Map<string, string>()
  readonly #run = new AsyncLocalStorage<{ readonly generation: number }>()
  #generation = 0
  #boundaryCount = 0
  #isDown = false

  constructor(options: MemoryEngineOptions) {
    this.#options = options
  }

  async start(
    definition: string,
    id: string,
    input: Json,
    options: { readonly exclusive: readonly string[] },
  ): Promise<StartAnswer> {
    if (id === '' || id.includes('/')) throw refused(`start ${id}`, 'an id is not empty and has no "/"')
    if (!this.#options.definitions[definition]) throw refused(`start ${id}`, `there is no definition "${definition}"`)
    this.#refuseWithoutDatabase(`start ${id}`)
    if (this.#rows.has(id)) return { is: 'exists' }
    for (const key of options.exclusive) {
      const by = this.#holders.get(key)
      if (by !== undefined) return { is: 'busy', key, by }
    }
    for (const key of options.exclusive) this.#holders.set(key, id)
    const row = this.#newRow({ id, rootId: id, definition, input: JSON.stringify(input), cursors: {} })
    if (!this.#isDown) this.#launch(row)
    return { is: 'started' }
  }

  async send(id: string, topic: string, message: Json, key: string): Promise<void> {
    if (this.#rows.get(id)?.rootId !== id) throw refused(`send ${topic} to ${id}`, 'there is no such saga')
    this.#refuseWithoutDatabase(`send ${topic} to ${id}`)
    const letters = this.#letters.get(id) ?? []
    if (letters.some((letter) => letter.key === key)) return
    letters.push({ seq: letters.length + 1, topic, key, message: JSON.parse(JSON.stringify(message)) as Json })
    this.#letters.set(id, letters)
    for (const wake of [...(this.#readers.get(id) ?? [])]) wake()
  }

  async status(id: string): Promise<SagaStatus | undefined> {
    return this.#rows.get(id)?.status
  }

  async list(): ReturnType<SagaEngine['list']> {
    const roots = [...this.#rows.values()].filter((row) => row.rootId === row.id)
    return roots.map(({ id, definition, status }) => ({ id, definition, status }))
  }

  async release(id: string): Promise<void> {
    const row = this.#rows.get(id)
    if (row?.rootId !== id) throw refused(`release ${id}`, 'there is no such saga')
    if (row.status.is === 'running')
      throw refused(`release ${id}`, 'it still runs; abort it, its keys come back at its end')
    row.isReleased = true
    this.#giveBackKeys(id)
  }

  /** How many moments of death have been passed so far. */
  get boundaryCount(): number {
    return this.#boundaryCount
  }

  knows(id: string): boolean {
    return this.#rows.has(id)
  }

  /** True once `id` is no longer running; asked synchronously, for `simulate`. */
  hasEnded(id: string): boolean {
    const status = this.#rows.get(id)?.status
    return status !== undefined && status.is !== 'running'
  }

  /** The process dies: nothing that runs now has any further effect on sagas, messages, or ports given to `fence`. */
  crash(): void {
    this.#generation++
    this.#isDown = true
    this.#readers.clear()
    for (const row of this.#rows.values()) row.whenEnded = []
    const { clock, restartAfterMs } = this.#options
    if (restartAfterMs === undefined) return
    const generation = this.#generation
    clock.wakeAt(clock.atMs + restartAfterMs, () => {
      // One start a death: a process that has been started meanwhile, or died once more, is not this one's.
      if (this.#isDown && this.#generation === generation) this.recover()
    })
  }

  /** A new process takes up every saga that has not ended, from its start, over its records; crashed ones too. */
  recover(): void {
    if (!this.#isDown) this.crash()
    this.#isDown = false
    for (const row of [...this.#rows.values()]) {
      // A crashed child was an answer to its parent, which went on.
      if (row.status.is === 'crashed' && row.rootId === row.id && !row.isReleased) row.status = { is: 'running' }
      if (row.status.is === 'running') this.#launch(row)
    }
  }

  /**
   * The same port, cut off with the run that uses it: a call that a crashed run makes afterwards never happens. Before and after
   * every call is one more moment of death, so that a crash falls between two calls of one act as well.
   */
  fence<P extends object>(name: string, port: P): P {
    return new Proxy(port, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property, target)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]) => {
          const generation = this.#run.getStore()?.generation
          if (generation === undefined) return member.apply(target, args)
          const where = `${name}.${String(property)}`
          if (!this.#survives(generation, `before ${where}`)) return never()
          const answer: unknown = await member.apply(target, args)
          return this.#survives(generation, `after ${where}`) ? answer : never()
        }
      },
    })
  }

  #newRow(fields: Pick<Row, 'id' | 'rootId' | 'definition' | 'input' | 'cursors'>): Row {
    const row: Row = { ...fields, records: [], status: { is: 'running' }, isReleased: false, whenEnded: [] }
    this.#rows.set(row.id, row)
    return row
  }

  #launch(row: Row): void {
    const generation = this.#generation
    void this.#run.run({ generation }, () => this.#runToEnd(row, generation))
  }

  async #runToEnd(row: Row, generation: number): Promise<void> {
    await undefined
    if (this.#isDatabaseAway) await this.#databaseBack(Number.POSITIVE_INFINITY)
    if (!this.#survives(generation, `begin ${row.id}`)) return
    let status: SagaStatus
    try {
      const result = await this.#runFunction(row, generation)
      status = { is: 'ended', result: JSON.parse(JSON.stringify(result ?? null)) as Json }
    } catch (error) {
      status = { is: 'crashed', text: textOf(error) }
    }
    if (!this.#survives(generation, `end ${row.id}`)) return
    row.status = status
    if (status.is === 'ended' && !isStuck(status.result)) this.#giveBackKeys(row.id)
    for (const wake of row.whenEnded.splice(0)) wake()
  }

  #runFunction(row: Row, generation: number): Promise<Json> {
    const define = this.#options.definitions[row.definition] as SagaFunction
    return new Promise((resolve, reject) => {
      const saga = new RecordedSaga(this.#host(row, generation, reject))
      define(saga, JSON.parse(row.input) as never).then(resolve, reject)
    })
  }

  #host(row: Row, generation: number, reject: (error: Error) => void): SagaHost {
    const { id, rootId, cursors } = row
    const fail = (error: Error): Promise<never> => {
      reject(error)
      return never()
    }
    return {
      id,
      rootId,
      cursors,
      clock: this.#options.clock,
      fail,
      record: (moment, body) => this.#record({ row, generation, moment, fail }, body),
      act: (moment, act) => this.#act(row, moment, act),
      nextMessage: (topic, afterSeq, deadlineAtMs) => this.#nextMessage({ rootId, topic, afterSeq, deadlineAtMs }),
      fanOut: async (moment, definition, children, limit) => {
        const asked = canonicalJson({ definition, limit, inputs: children.map((child) => child.input) })
        const run = { row, generation, moment, fail }
        const kept = await this.#record(run, async () => {
          return {
            asked,
            results: await this.#runChildren({ row, generation, moment, definition, limit, fail }, children),
          }
        })
        const { asked: askedBefore, results } = kept as { asked: string; results: readonly FanOutResult<Json>[] }
        return askedBefore === asked ? results : fail(new NonDeterminism(otherInputs(id, moment)))
      },
    }
  }

  async #record(
    run: { row: Row; generation: number; moment: Moment; fail: (error: Error) => Promise<never> },
    body: () => Promise<Json>,
  ): Promise<Json> {
    const { row, generation, moment, fail } = run
    const { position, name } = moment
    const where = `${row.id}#${position} ${name}`
    if (!this.#survives(generation, `before ${where}`)) return never()
    const kept = row.records[position]
    if (kept && kept.name !== name)
      return fail(new NonDeterminism(`${row.id}#${position}: recorded as "${kept.name}", now it is "${name}"`))
    if (kept) return JSON.parse(kept.json) as Json
    const json = JSON.stringify(await body())
    if (this.#isDatabaseAway) await this.#databaseBack(DATABASE_PATIENCE_MS)
    if (generation === this.#generation && this.#isDatabaseAway) this.crash()
    if (!this.#survives(generation, `before the record of ${where}`)) return never()
    row.records[position] = { name, json }
    return this.#survives(generation, `after ${where}`) ? (JSON.parse(json) as Json) : never()
  }

  async #act<T>(row: Row, moment: Moment, act: () => Promise<T>): Promise<T> {
    const { everyStepTwice, aroundAct } = this.#options
    if (everyStepTwice) await act().catch(() => undefined)
    return aroundAct ? aroundAct({ saga: row.id, step: moment.name }, act) : act()
  }

  async #nextMessage(wanted: {
    rootId: string
    topic: string
    afterSeq: number
    deadlineAtMs: number
  }): Promise<Message | 'deadline'> {
    const { rootId, topic, afterSeq, deadlineAtMs } = wanted
    const { clock } = this.#options
    const deadline = deadlineAt(deadlineAtMs, clock.atMs)
    for (;;) {
      const found = this.#letters.get(rootId)?.find((letter) => letter.topic === topic && letter.seq > afterSeq)
      if (found) return { seq: found.seq, message: found.message }
      const leftMs = deadline.leftMs(clock.atMs)
      if (leftMs <= 0) return 'deadline'
      await this.#nextLetter(rootId, clock.atMs + leftMs)
    }
  }

  /** Resolves with the next message to the root, whatever its topic, or at the deadline. */
  #nextLetter(rootId: string, deadlineAtMs: number): Promise<void> {
    const readers = this.#readers.get(rootId) ?? new Set()
    this.#readers.set(rootId, readers)
    return new Promise((resolve) => {
      const wake = () => {
        readers.delete(wake)
        forget()
        resolve()
      }
      readers.add(wake)
      const forget = this.#options.clock.wakeAt(deadlineAtMs, wake)
    })
  }

  async #runChildren(
    run: {
      row: Row
      generation: number
      moment: Moment
      definition: string
      limit: number
      fail: (error: Error) => Promise<never>
    },
    children: readonly Child[],
  ): Promise<Json> {
    if (!this.#options.definitions[run.definition])
      return run.fail(new Error(`${run.row.id}: there is no definition "${run.definition}"`))
    const results: FanOutResult<Json>[] = []
    const waiting = children.entries()
    const lane = async () => {
      for (const [index, child] of waiting) results[index] = await this.#childResult(run, child)
    }
    await Promise.all(Array.from({ length: Math.min(run.limit, children.length) }, lane))
    return results
  }

  async #childResult(
    run: {
      row: Row
      generation: number
      moment: Moment
      definition: string
      fail: (error: Error) => Promise<never>
    },
    child: Child,
  ): Promise<FanOutResult<Json>> {
    // A lane that has lost its process must not make children any more.
    if (run.generation !== this.#generation) return never()
    const { definition, row: parent } = run
    let row = this.#rows.get(child.id)
    if (row && (row.definition !== definition || canonicalJson(JSON.parse(row.input)) !== canonicalJson(child.input)))
      return run.fail(new NonDeterminism(otherInputs(parent.id, run.moment)))
    if (!row) {
      const { id, cursors } = child
      row = this.#newRow({ id, rootId: parent.rootId, definition, input: JSON.stringify(child.input), cursors })
      this.#launch(row)
    }
    const { status } = await this.#ended(row)
    return status.is === 'ended'
      ? { is: 'ok', value: status.result }
      : { is: 'error', text: status.is === 'crashed' ? status.text : 'it still runs' }
  }

  async #ended(row: Row): Promise<Row> {
    if (row.status.is !== 'running') return row
    return new Promise((resolve) => {
      row.whenEnded.push(() => resolve(row))
    })
  }

  #giveBackKeys(id: string): void {
    for (const [key, holder] of this.#holders) if (holder === id) this.#holders.delete(key)
  }

  get #isDatabaseAway(): boolean {
    return (this.#options.databaseAwayUntilMs?.() ?? Number.NEGATIVE_INFINITY) > this.#options.clock.trueMs
  }

  #refuseWithoutDatabase(doing: string): void {
    if (this.#isDatabaseAway) throw new DriverError('postgres', doing, { retry: 'later', text: DATABASE_AWAY_TEXT })
  }

  /** Resolves when the database is there, or when it was waited for long enough. */
  async #databaseBack(patienceMs: number): Promise<void> {
    const { clock, databaseAwayUntilMs } = this.#options
    const giveUpAtMs = clock.trueMs + patienceMs
    while (this.#isDatabaseAway && clock.trueMs < giveUpAtMs) {
      const waitMs = Math.min(databaseAwayUntilMs?.() ?? 0, giveUpAtMs) - clock.trueMs
      await clock.sleepUntil(clock.atMs + waitMs)
    }
  }

  /** False when this run's process is dead, or dies right here. */
  #survives(generation: number, where: string): boolean {
    if (generation !== this.#generation) return false
    try {
      this.#options.onBoundary?.(this.#boundaryCount++, where)
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error
      this.crash()
      return false
    }
    return true
  }
}

function otherInputs(id: string, { position, name }: Moment): string {
  return `${id}#${position}: ${name} has other inputs than recorded`
}

/** What a dead process answers. A fresh one each time: a shared one would keep every waiter in memory for ever. */
function never(): Promise<never> {
  return new Promise(() => {})
}

function refused(doing: string, text: string): DriverError {
  return new DriverError('saga engine', doing, { retry: 'never', text })
}
