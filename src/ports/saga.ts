/**
 * The durable saga: a function whose every effect is a step, run again from its start over recorded results after a crash.
 * The port is small on purpose: step (with undo), sleepUntil, receive (with a deadline), fanOut, and the undo of all.
 */
import type { Json } from '#domain/json'

/** What a step may return. Drivers answer void; after a replay that is undefined, as before. */
// biome-ignore lint/suspicious/noConfusingVoidType: an act is often one call of a port, and those answer Promise<void>
export type StepResult = Json | undefined | void

export type StepOptions<T> = {
  /**
   * Takes the step back; ordinary saga code, so it may itself run steps. Called by `takeBack`, newest first.
   * A step that changes the world and has none says in one line why.
   */
  readonly undo?: (result: T) => Promise<void>
}

export type FanOutResult<O> = { readonly is: 'ok'; readonly value: O } | { readonly is: 'error'; readonly text: string }

export type UndoFailure = { readonly name: string; readonly text: string }

export type Saga = {
  readonly id: string
  /** The saga that people address; a child reads its root's messages. */
  readonly rootId: string

  /**
   * Runs `act` and records what it returned; on a replay the record is returned and nothing runs. At-least-once: a crash between
   * the effect and the record runs `act` again, so `act` looks before it acts. `key` names this moment and is the same on every
   * run: use it as an idempotency key. A DriverError is repeated as its `retry` says (domain/driver-error), then recorded and thrown.
   * Keep a step under 5 s: pause and abort are looked for between steps.
   */
  step<T extends StepResult>(name: string, act: (key: string) => Promise<T>, options?: StepOptions<T>): Promise<T>

  /** The clock, recorded. */
  nowMs(): Promise<number>

  /** Survives a crash; returns at once when `atMs` is past. */
  sleepUntil(atMs: number): Promise<void>

  /**
   * The next message to the root saga under `topic` that this saga has not received, in the order they were sent; one sent before
   * anybody waited is kept. A deadline in the past makes it a look. A child begins where its parent's cursor stood when it was made.
   */
  receive<M extends Json>(topic: string, deadlineAtMs: number): Promise<M | 'deadline'>

  /**
   * Runs a child saga an input, in this order, at most `limit` at once; results in the order of the inputs. Limit 1 to 8.
   * One operation at a time: calling anything on the saga while another call is under way is a NonDeterminism error.
   */
  fanOut<I extends Json, O extends Json>(
    definition: string,
    inputs: readonly I[],
    limit: number,
  ): Promise<readonly FanOutResult<O>[]>

  /**
   * Undoes every step of this saga that has an undo, newest first, each once; goes on after a failure. Empty: all was taken back.
   * An undo acts through steps, so that a crash repeats none. A step that threw has nothing to take back: its saga looks first.
   * A child's steps are its own; what a parent must take back of its children's work hangs on a step of the parent.
   */
  takeBack(): Promise<readonly UndoFailure[]>
}

export type SagaFunction<I extends Json = never, O extends Json = Json> = (saga: Saga, input: I) => Promise<O>

export type SagaStatus =
  | { readonly is: 'running' }
  | { readonly is: 'ended'; readonly result: Json }
  /** A bug, never the outside. The next process runs it again over its records (perhaps with better code), unless it was released. */
  | { readonly is: 'crashed'; readonly text: string }

export type StartAnswer =
  | { readonly is: 'started' }
  | { readonly is: 'exists' }
  | { readonly is: 'busy'; readonly key: string; readonly by: string }

export type SagaEngine = {
  /**
   * Starts a saga; the same id again changes nothing. `exclusive`: keys that no other running saga may hold ('cluster:mad1',
   * 'ceph:<fsid>'), across all workers; they are given back when the saga ends. One that crashed, or whose
   * result is `{ ending: 'stuck' }`, keeps them until a person calls `release`. An id has no '/': children are `${parent}/${n}`.
   */
  start(
    definition: string,
    id: string,
    input: Json,
    options: { readonly exclusive: readonly string[] },
  ): Promise<StartAnswer>
  /** A person takes over from a saga that is stuck or crashed: its keys are given back, it never runs again. Refused while it runs. */
  release(id: string): Promise<void>
  /** Kept in order; the same `key` again changes nothing. Refused (DriverError, never) when there is no such root saga. */
  send(id: string, topic: string, message: Json, key: string): Promise<void>
  status(id: string): Promise<SagaStatus | undefined>
  /** Root sagas, oldest first; children are asked for by id. */
  list(): Promise<readonly { readonly id: string; readonly definition: string; readonly status: SagaStatus }[]>
}
