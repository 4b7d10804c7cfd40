/** A Saga over a log of records: everything that does not depend on where the records are kept. Both engines use it. */
import { DriverError, type Retry, waitBeforeRetryMs } from '#domain/driver-error'
import type { Json } from '#domain/json'
import type { Clock } from './clock.ts'
import type { FanOutResult, Saga, StepOptions, StepResult, UndoFailure } from './saga.ts'

export type Message = { readonly seq: number; readonly message: Json }

/** Topic -> number of the last message that was received. */
export type Cursors = Readonly<Record<string, number>>

export type Child = { readonly id: string; readonly input: Json; readonly cursors: Cursors }

/** The n-th operation of a saga, counted from 0, and what it is called: the same on every run. */
export type Moment = { readonly position: number; readonly name: string }

export type SagaHost = {
  readonly id: string
  readonly rootId: string
  readonly cursors: Cursors
  readonly clock: Clock
  /** Runs `body` and keeps what it returned, or returns what was kept for this moment. Never settles once this run is fenced off. */
  record(moment: Moment, body: () => Promise<Json>): Promise<Json>
  /** Runs the act of a step; an engine may run it twice or make it fail. */
  act(moment: Moment, act: () => Promise<StepResult>): Promise<StepResult>
  /** Waits inside a record; not durable by itself. */
  nextMessage(topic: string, afterSeq: number, deadlineAtMs: number): Promise<Message | 'deadline'>
  /** Durable. */
  fanOut(
    moment: Moment,
    definition: string,
    children: readonly Child[],
    limit: number,
  ): Promise<readonly FanOutResult<Json>[]>
  /** Ends this run as crashed. Never settles, so that no `catch` of the saga can hide it. */
  fail(error: Error): Promise<never>
}

/** The saga's code did something else than the run before it, or two things at once. A bug, never caught by a saga. */
export class NonDeterminism extends Error {
  override readonly name = 'NonDeterminism'
}

const FAN_OUT_LIMIT = 8

export class RecordedSaga implements Saga {
  readonly id: string
  readonly rootId: string
  readonly #host: SagaHost
  readonly #cursors: Record<string, number>
  readonly #undos: { readonly name: string; readonly undo: () => Promise<void> }[] = []
  #position = 0
  #childCount = 0
  #isTakingBack = false
  #under: string | undefined

  constructor(host: SagaHost) {
    this.#host = host
    this.id = host.id
    this.rootId = host.rootId
    this.#cursors = { ...host.cursors }
  }

  async step<T extends StepResult>(
    name: string,
    act: (key: string) => Promise<T>,
    options: StepOptions<T> = {},
  ): Promise<T> {
    const moment = await this.#begin(name)
    const kept = (await this.#host.record(moment, () => this.#outcome(moment, act))) as StepRecord
    this.#under = undefined
    if ('error' in kept) throw revived(kept.error)
    const result = kept.value as T
    const { undo } = options
    if (undo && !this.#isTakingBack) this.#undos.push({ name, undo: () => undo(result) })
    return result
  }

  async nowMs(): Promise<number> {
    const moment = await this.#begin('now')
    const nowMs = (await this.#host.record(moment, () => this.#host.clock.nowMs())) as number
    this.#under = undefined
    return nowMs
  }

  async sleepUntil(atMs: number): Promise<void> {
    const moment = await this.#begin('sleep')
    await this.#host.record(moment, async () => {
      await this.#host.clock.sleepUntil(atMs)
      return null
    })
    this.#under = undefined
  }

  async receive<M extends Json>(topic: string, deadlineAtMs: number): Promise<M | 'deadline'> {
    const moment = await this.#begin(`receive ${topic}`)
    const afterSeq = this.#cursors[topic] ?? 0
    const kept = (await this.#host.record(moment, () =>
      this.#host.nextMessage(topic, afterSeq, deadlineAtMs),
    )) as unknown as Message | 'deadline'
    this.#under = undefined
    if (kept === 'deadline') return 'deadline'
    this.#cursors[topic] = kept.seq
    return kept.message as M
  }

  async fanOut<I extends Json, O extends Json>(
    definition: string,
    inputs: readonly I[],
    limit: number,
  ): Promise<readonly FanOutResult<O>[]> {
    const moment = await this.#begin(`fan-out ${definition}`)
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= FAN_OUT_LIMIT))
      await this.#host.fail(new RangeError(`${this.id}: fan-out limit ${limit} is not 1 to ${FAN_OUT_LIMIT}`))
    const cursors = { ...this.#cursors }
    const children = inputs.map((input) => ({ id: `${this.id}/${++this.#childCount}`, input, cursors }))
    const results = await this.#host.fanOut(moment, definition, children, limit)
    this.#under = undefined
    return results as readonly FanOutResult<O>[]
  }

  async takeBack(): Promise<readonly UndoFailure[]> {
    const failures: UndoFailure[] = []
    this.#isTakingBack = true
    for (let step = this.#undos.pop(); step; step = this.#undos.pop()) {
      try {
        await step.undo()
      } catch (error) {
        failures.push({ name: step.name, text: textOf(error) })
      }
    }
    this.#isTakingBack = false
    return failures
  }

  /** Counts the moment before anything is awaited, so that the order of calls alone decides its number. */
  #begin(name: string): Promise<Moment> | Moment {
    if (this.#under !== undefined)
      return this.#host.fail(new NonDeterminism(`${this.id}: "${name}" was called while "${this.#under}" still runs`))
    this.#under = name
    return { position: this.#position++, name }
  }

  async #outcome(moment: Moment, act: (key: string) => Promise<StepResult>): Promise<Json> {
    const { clock } = this.#host
    const key = `${this.id}#${moment.position}`
    // Bounded: waitBeforeRetryMs gives up after a few tries of each kind.
    for (let tries = 1; ; tries++) {
      try {
        return { value: (await this.#host.act(moment, () => act(key))) as Json }
      } catch (error) {
        const waitMs = waitBeforeRetryMs(error, tries)
        if (waitMs === 'give-up') return { error: recorded(error) }
        if (waitMs > 0) await clock.sleepUntil((await clock.nowMs()) + waitMs)
      }
    }
  }
}

type RecordedError =
  | {
      readonly is: 'driver'
      readonly driver: string
      readonly doing: string
      readonly retry: Retry
      readonly text: string
    }
  | { readonly is: 'other'; readonly name: string; readonly text: string }

type StepRecord = { readonly value?: Json } | { readonly error: RecordedError }

function recorded(error: unknown): RecordedError {
  if (!(error instanceof DriverError))
    return { is: 'other', name: error instanceof Error ? error.name : 'Error', text: textOf(error) }
  const { driver, doing, retry, message } = error
  const prefix = `${driver}: ${doing}: `
  return {
    is: 'driver',
    driver,
    doing,
    retry,
    text: message.startsWith(prefix) ? message.slice(prefix.length) : message,
  }
}

/** The first run throws it too, so that a saga can only depend on what a replay gives it again. */
function revived(error: RecordedError): Error {
  if (error.is === 'driver') return new DriverError(error.driver, error.doing, { retry: error.retry, text: error.text })
  const plain = new Error(error.text)
  plain.name = error.name
  return plain
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether a saga that ended so keeps its exclusive keys until a person releases them. */
export function isStuck(result: Json): boolean {
  return typeof result === 'object' && result !== null && 'ending' in result && result.ending === 'stuck'
}
