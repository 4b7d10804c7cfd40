/** Runs one saga as a DBOS workflow, and drops a run that may not or cannot go on without losing the saga. */

import { createHash } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { DBOS, DBOSStepNondeterminismError, DBOSWorkflowConflictError, Error as DbosErrors } from '@dbos-inc/dbos-sdk'
import { currentOwnerXid } from '@dbos-inc/dbos-sdk/internal/context'
import { INTERNAL_QUEUE_NAME } from '@dbos-inc/dbos-sdk/internal/utils'
import { deadlineAt } from '#domain/deadline'
import { DriverError } from '#domain/driver-error'
import { canonicalJson, type Json } from '#domain/json'
import type { Clock, Quit } from '#ports/clock'
import type { FanOutResult, SagaFunction, SagaStatus } from '#ports/saga'
import {
  type Child,
  type Message,
  type Moment,
  NonDeterminism,
  RecordedSaga,
  type SagaHost,
  textOf,
} from '#ports/saga-over-records'
import { asGuarded } from './fence.ts'
import type { Replays } from './replay.ts'
import type { SagaRow, SagaStore } from './saga-store.ts'
import { type Bell, WakeUps } from './wake-ups.ts'
import type { WorkerLock } from './worker-lock.ts'

/** A message may come from another process; then it is heard after this long. */
const MESSAGE_POLL_MS = 100
const CHILD_POLL_MS = 200
/** While database or clock are away a run waits this long, then it is dropped and begins again over its records. */
const PATIENCE_TRIES = 60
const PATIENCE_WAIT_MS = 500
const TAKE_UP_WAIT_MS = 1_000
const CROSSING_LIMIT_MS = 5_000
/** The lock is asked for about once a second: older than this, the process stood still. */
const PROOF_LASTS_MS = 3_000

type Parts = {
  readonly store: SagaStore
  readonly lock: WorkerLock
  readonly clock: Clock
  readonly definitions: Readonly<Record<string, SagaFunction>>
  readonly replays: Replays
  readonly startChild: (id: string) => Promise<void>
  readonly log: (text: string) => void
}

type Ended = Exclude<SagaStatus, { is: 'running' }>

type Owned = { readonly id: string; readonly ownerToken: string }

/** One run of one saga in this process. */
type Run = {
  readonly row: SagaRow
  /** DBOS gives every run one and checks it in the transaction of every record. */
  readonly ownerToken: string
  /** The lock's losses when the run was last known to own its saga. */
  lossCount: number
  readonly end: (status: Ended) => void
  readonly drop: (error: unknown) => void
}

export class SagaRunner {
  readonly #parts: Parts
  readonly #wakeUps = new WakeUps()
  /** Runs of this process, by their owner tokens. */
  readonly #running = new Set<string>()
  /** Calls of DBOS that are not inside a body of ours. */
  readonly #crossings = new Set<Promise<unknown>>()
  #isStopped = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * Nothing that runs here begins anything more. Resolves when no call is on its way into DBOS or out of it: one that finds DBOS's
   * executor gone would be recorded as a failed step.
   */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#wakeUps.close()
    const limit = new Promise((resolve) => setTimeout(resolve, CROSSING_LIMIT_MS).unref())
    await Promise.race([Promise.all([...this.#crossings]), limit])
  }

  /** Whether the run with this token is one of this process. */
  runs(ownerToken: string): boolean {
    return this.#running.has(ownerToken)
  }

  /** Somebody may wait for what just happened to this saga. */
  wake(id: string): void {
    this.#wakeUps.ring(id)
  }

  /** The body of the workflow. Rejects only when this run let go of its saga; DBOS then waits for the run that has it. */
  run(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const ownerToken = currentOwnerXid(id) ?? ''
      this.#running.add(ownerToken)
      const done = () => this.#running.delete(ownerToken)
      const drop = (error: unknown) =>
        this.#drop({ id, ownerToken }, error, (reason) => {
          done()
          reject(reason)
        })
      const end = () => {
        // DBOS records the end after us; until then the saga is not an idle claim.
        setTimeout(done, CROSSING_LIMIT_MS).unref()
        resolve()
      }
      this.#runToEnd({ id, ownerToken }, drop).then(end, drop)
    })
  }

  async #runToEnd(owned: Owned, drop: (error: unknown) => void): Promise<void> {
    const { store, lock, replays } = this.#parts
    const { id, ownerToken } = owned
    const lossCount = lock.lossCount
    const row = await this.#patiently(id, () => store.saga(id))
    if (row.status === 'ended' || row.isReleased) return
    if (row.status === 'crashed' && (row.turn || !(await this.#patiently(id, () => store.reopen(id))))) return
    await this.#turn(row)
    replays.fill(id, await this.#patiently(id, () => store.records(id)))
    const status = await new Promise<Ended>((resolve, reject) => {
      let isOver = false
      const end = (ending: Ended) => {
        isOver = true
        resolve(ending)
      }
      // What still moves in a run that has ended concerns nobody.
      const run: Run = { row, ownerToken, lossCount, end, drop: (error) => (isOver ? undefined : drop(error)) }
      this.#play(run).then(end, reject)
    }).finally(() => replays.forget(id))
    await this.#patiently(id, () => store.end(id, status))
    this.wake(row.turn?.parentId ?? id)
    // DBOS keeps a crashed root as unfinished, and so the next process, perhaps with better code, runs it again over its records.
    if (status.is === 'crashed' && !row.turn) {
      this.#parts.log(`${id} crashed: ${status.text}`)
      await never()
    }
  }

  async #play(run: Run): Promise<Ended> {
    const { row } = run
    const define = this.#parts.definitions[row.definition]
    if (!define) return { is: 'crashed', text: `there is no definition "${row.definition}"` }
    try {
      const result = await define(new RecordedSaga(this.#host(run)), row.input as never)
      return { is: 'ended', result: jsonCopy(result) }
    } catch (error) {
      return { is: 'crashed', text: textOf(error) }
    }
  }

  #host(run: Run): SagaHost {
    const { row } = run
    return {
      id: row.id,
      rootId: row.rootId,
      cursors: row.cursors,
      clock: this.#parts.clock,
      record: (moment, body) => this.#record(run, moment.name, body),
      act: (_moment, act) => this.#act(run, act),
      nextMessage: (topic, afterSeq, deadlineAtMs) => this.#nextMessage({ run, topic, afterSeq, deadlineAtMs }),
      fanOut: (moment, definition, children, limit) => this.#fanOut(run, { moment, definition, children, limit }),
      fail: (error) => {
        run.end({ is: 'crashed', text: textOf(error) })
        return never()
      },
    }
  }

  /** One step of DBOS. Its body never throws: DBOS would keep an outage of our own database as the step's outcome. */
  async #record(run: Run, name: string, body: () => Promise<Json>): Promise<Json> {
    if (this.#isStopped) return never()
    let cross = this.#crossing()
    const guarded = async () => {
      cross()
      try {
        if (!(await this.#mayAct(run))) return never()
        const kept = jsonCopy(await body())
        if (this.#isStopped) return never()
        cross = this.#crossing()
        return kept
      } catch (error) {
        run.drop(error)
        return never()
      }
    }
    try {
      return await DBOS.runStep(guarded, { name })
    } catch (error) {
      if (isNonDeterminism(error))
        run.end({ is: 'crashed', text: new NonDeterminism(`${run.row.id}: ${textOf(error)}`).message })
      else run.drop(error)
      return never()
    } finally {
      cross()
    }
  }

  /** An act that could not write to our own database has not failed: it is done again when the database is back. */
  async #act<T>(run: Run, act: () => Promise<T>): Promise<T> {
    if (this.#isStopped) return never()
    const answered = await this.#orDrop(run, () =>
      asGuarded(() => this.#proveOurs(run), act).then(
        (value) => ({ is: 'ok', value }) as const,
        (error: unknown) => {
          if (isDatabaseAway(error)) throw error
          return { is: 'error', error } as const
        },
      ),
    )
    if (answered.is === 'error') throw answered.error
    return answered.value
  }

  /** Asked before every call of a fenced port: whoever stood still meanwhile looks first whether the saga is still its own. */
  async #proveOurs(run: Run): Promise<void> {
    const { lock } = this.#parts
    if (performance.now() - lock.provenAtMs <= PROOF_LASTS_MS) return
    await lock.beat()
    if (!(await this.#orDrop(run, () => this.#mayAct(run, 'always')))) await never()
  }

  async #orDrop<T>(run: Run, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#patiently(run.row.id, work)
    } catch (error) {
      run.drop(error)
      return never()
    }
  }

  /** Begins a call into DBOS or its return; the answer ends it. */
  #crossing(): () => void {
    let end = () => {}
    const crossing = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#crossings.add(crossing)
    return () => {
      this.#crossings.delete(crossing)
      end()
    }
  }

  /** A worker that was cut off from the database begins nothing, and afterwards asks first whether the saga is still its own. */
  async #mayAct(run: Run, asks: 'after-a-loss' | 'always' = 'after-a-loss'): Promise<boolean> {
    const { lock, store } = this.#parts
    await lock.held()
    if (this.#isStopped) return false
    if (asks === 'after-a-loss' && run.lossCount === lock.lossCount) return true
    const { lossCount } = lock
    if (!(await store.isOwnedBy(run.row.id, run.ownerToken))) {
      run.drop(new DBOSWorkflowConflictError(run.row.id))
      return false
    }
    run.lossCount = lossCount
    return true
  }

  async #nextMessage(wanted: {
    readonly run: Run
    readonly topic: string
    readonly afterSeq: number
    readonly deadlineAtMs: number
  }): Promise<Message | 'deadline'> {
    const { run, topic, afterSeq, deadlineAtMs } = wanted
    const { store, clock } = this.#parts
    const { id, rootId } = run.row
    const bell = this.#wakeUps.listen(rootId)
    const quit = new AbortController()
    try {
      // The clock is read before the look, so that a message sent before the deadline is never missed.
      const beganMs = await this.#patiently(id, () => clock.nowMs())
      const deadline = deadlineAt(deadlineAtMs, beganMs)
      let isOver = beganMs >= deadlineAtMs
      if (!isOver) ringAt({ clock, atMs: deadlineAtMs, bell, quit: quit.signal })
      for (;;) {
        const found = await this.#patiently(id, () => store.nextMessage(rootId, topic, afterSeq))
        if (found) return found
        if (isOver) return 'deadline'
        await bell.rings(MESSAGE_POLL_MS)
        isOver = deadline.leftMs(await this.#patiently(id, () => clock.nowMs())) <= 0
      }
    } finally {
      quit.abort()
      bell.close()
    }
  }

  async #fanOut(
    run: Run,
    wanted: {
      readonly moment: Moment
      readonly definition: string
      readonly children: readonly Child[]
      readonly limit: number
    },
  ): Promise<readonly FanOutResult<Json>[]> {
    const { store, startChild, definitions } = this.#parts
    const { moment, definition, children, limit } = wanted
    const { id, rootId } = run.row
    if (!definitions[definition])
      return this.#host(run).fail(new Error(`${id}: there is no definition "${definition}"`))
    const fanOut = moment.position
    const asked = digestOf({ definition, limit, inputs: children.map((child) => child.input) })
    const kept = await this.#record(run, moment.name, async () => {
      if (children.length > 0)
        await this.#patiently(id, () => store.makeChildren({ id, rootId, fanOut, definition, limit, children }))
      return asked
    })
    if (kept !== asked)
      return this.#host(run).fail(new NonDeterminism(`${id}#${fanOut}: ${moment.name} has other inputs than recorded`))
    for (const child of children) {
      if (this.#isStopped) return never()
      const cross = this.#crossing()
      await startChild(child.id).then(cross, (error) => {
        cross()
        run.drop(error)
        return never()
      })
    }
    const results = await this.#record(run, `${moment.name}: results`, () => this.#childResults(id, fanOut))
    return results as readonly FanOutResult<Json>[]
  }

  async #childResults(id: string, fanOut: number): Promise<Json> {
    const bell = this.#wakeUps.listen(id)
    try {
      for (;;) {
        const results = await this.#patiently(id, () => this.#parts.store.childResults(id, fanOut))
        if (results) return results
        await bell.rings(CHILD_POLL_MS)
      }
    } finally {
      bell.close()
    }
  }

  /** Children are made all at once; each waits here until few enough run. */
  async #turn(row: SagaRow): Promise<void> {
    const bell = this.#wakeUps.listen(row.turn?.parentId ?? row.id)
    try {
      while (!(await this.#patiently(row.id, () => this.#parts.store.isTurnOf(row)))) await bell.rings(CHILD_POLL_MS)
    } finally {
      bell.close()
    }
  }

  /** Repeats while database or clock are away; gives up after half a minute, and the run is dropped. */
  async #patiently<T>(id: string, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      if (this.#isStopped) return never()
      try {
        return await work()
      } catch (error) {
        if (tries >= PATIENCE_TRIES) throw error
        if (tries === 1) this.#parts.log(`${id} waits: ${textOf(error)}`)
        await new Promise((resolve) => setTimeout(resolve, PATIENCE_WAIT_MS))
      }
    }
  }

  /** For a saga that DBOS believes to run here and that does not: its claim went through, its beginning did not. */
  async giveBack({ id, ownerToken }: Owned): Promise<void> {
    this.#parts.log(`${id} was claimed and never begun here; it will be taken up again`)
    await this.#parts.store.giveBack(id, ownerToken, INTERNAL_QUEUE_NAME)
  }

  /** Lets go of the saga in this run; whoever is alive, perhaps we ourselves, takes it up again over its records. */
  #drop(owned: Owned, error: unknown, reject: (error: Error) => void): void {
    const { id, ownerToken } = owned
    if (this.#isStopped) return
    if (error instanceof DBOSWorkflowConflictError) {
      this.#parts.log(`${id}: another worker has taken this saga; this run of it ends`)
      reject(error)
      return
    }
    this.#parts.log(`${id} cannot go on and will be taken up again: ${textOf(error)}`)
    const giveBack = () =>
      this.#patiently(id, () => this.#parts.store.giveBack(id, ownerToken, INTERNAL_QUEUE_NAME)).then(
        () => reject(new DBOSWorkflowConflictError(id)),
        (reason) => this.#drop(owned, reason, reject),
      )
    setTimeout(giveBack, TAKE_UP_WAIT_MS)
  }
}

/** Said by drivers/postgres, which keeps the journal: 'later' is a server that is away. */
const isDatabaseAway = (error: unknown) =>
  error instanceof DriverError && error.driver === 'postgres' && error.retry === 'later'

function isNonDeterminism(error: unknown): boolean {
  return error instanceof DbosErrors.DBOSUnexpectedStepError || error instanceof DBOSStepNondeterminismError
}

function ringAt(wait: {
  readonly clock: Clock
  readonly atMs: number
  readonly bell: Bell
  readonly quit: Quit
}): void {
  const { clock, atMs, bell, quit } = wait
  // A clock that fails is asked again by the poll.
  clock.sleepUntil(atMs, quit).then(
    () => bell.ring(),
    () => {},
  )
}

/** What the first run gets is what a replay will get. */
function jsonCopy(value: Json | undefined): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json
}

function digestOf(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

function never(): Promise<never> {
  return new Promise(() => {})
}
