/** One night in memory: the story on virtual time, over the simulated world, with a script of what people do and what breaks. */

import type { Event, JournalRow } from '#domain/event'
import { type Finding, findingByWord } from '#domain/finding'
import { nodeName, planId } from '#domain/ids'
import type { ControlMessage } from '#domain/maintenance'
import { DEFAULT_STORY_POLICY, type StoryPolicy } from '#domain/policy'
import { renderEvent } from '#domain/render'
import { renderLog } from '#domain/render-log'
import type { Snapshot } from '#domain/snapshot'
import { MOVE_SAGA, moveSaga } from '#drain/move'
import { MemoryEngine, type MemoryEngineOptions, SimulatedCrash } from '#lab/engine/memory-engine'
import { simulate } from '#lab/engine/simulate'
import { takeFault } from '#lab/faults/apply'
import { MemoryJournal } from '#lab/memory-journal'
import { labPorts } from '#lab/ports/lab-ports'
import type { StorageOptions } from '#lab/ports/storage'
import { VirtualClock } from '#lab/virtual-clock'
import { createWorld } from '#lab/world/create'
import { noteJournal } from '#lab/world/journal'
import { LabWorld } from '#lab/world/lab-world'
import type { World } from '#lab/world/state'
import { takeAnswers } from '#lab/world/technician'
import type { Ports } from '#ports/all'
import type { SagaFunction } from '#ports/saga'
import { MAINTENANCE_SAGA, maintenanceSaga } from '#story/maintenance'
import { bmcPoller } from '../poll-bmcs.ts'
import { asksForMaintenance, runWatch, type WatchState } from '../watch.ts'
import { Maintenances, type NightMaintenance } from './maintenances.ts'
import type { Command, ScriptLine, When } from './script.ts'

export type NightOptions = {
  readonly snapshot: Snapshot
  readonly seed: number
  readonly script: readonly ScriptLine[]
  readonly policy?: Partial<StoryPolicy>
  readonly engine?: Pick<MemoryEngineOptions, 'onBoundary' | 'everyStepTwice' | 'aroundAct'>
  /** How far our rights reach in Ceph. */
  readonly storage?: Partial<StorageOptions>
  /** The control plane dies the moment this row of the journal is written, counted from 1. */
  readonly crashAfterRow?: number
  /** The operator aborts a second after this row. */
  readonly abortAfterRow?: number
  readonly startAtMs?: number
  readonly limitMs?: number
  /** Changes the world before anything begins: what is true and no look tells. */
  readonly shape?: (world: World) => void
  /** Drivers in the place of some of the lab's own ports. */
  readonly outside?: (lab: LabWorld, clock: VirtualClock) => Promise<Outside>
  /** A fault of what has gone meanwhile is left out: a drawn night cannot know. */
  readonly skipsBadFaults?: boolean
  /** Ends the night before the maintenance has ended: asked with every row. */
  readonly endsWith?: (row: JournalRow) => boolean
  /** The world goes on for so long after the last maintenance has ended: some promises are looked at minutes later. */
  readonly settleMs?: number
  /** Asked with every row, in the order in which they were written. */
  readonly onRow?: (row: JournalRow, lab: LabWorld) => void
}

/** Ports that leave the process, and how to know that none of their calls is under way. */
export type Outside = {
  readonly ports: Partial<Omit<Ports, 'journal' | 'clock'>>
  readonly quiet: () => Promise<void>
  close(): Promise<void>
}

export type NightResult = {
  /** Of all maintenances, in the order in which they were written. */
  readonly rows: readonly JournalRow[]
  readonly log: readonly string[]
  readonly lab: LabWorld
  /** The last maintenance's, as the journal says it. */
  readonly ending: string
  readonly maintenances: readonly NightMaintenance[]
  readonly endedAtMs: number
}

const NIGHT_LIMIT_MS = 14 * 24 * 3_600_000
const NIGHT_STARTS_AT_MS = Date.UTC(2026, 10, 23, 8)
const RESTART_AFTER_MS = 5_000
const CLICKS_AGAIN_AFTER_MS = 5_000
const WATCH_EVERY_MS = 60_000
/** A finding whose maintenance cannot be started yet is heeded again. */
const START_AGAIN_MS = 5 * 60_000
const START_TRIES_LIMIT = 288

/** Plays until the maintenance has ended. Throws when nothing waits and nothing happens, or the night never ends. */
export async function playNight(options: NightOptions): Promise<NightResult> {
  const { snapshot, seed, startAtMs = NIGHT_STARTS_AT_MS } = options
  const clock = new VirtualClock(startAtMs)
  const world = createWorld({ snapshot, seed, startAtMs })
  options.shape?.(world)
  const lab = new LabWorld(world)
  const outside = await options.outside?.(lab, clock)
  try {
    const night = new Night(options, { lab, clock, ports: outside?.ports ?? {} })
    await simulate({
      clock,
      world: night,
      until: () => night.isOver,
      limitMs: options.limitMs ?? NIGHT_LIMIT_MS,
      ...(outside === undefined ? {} : { quiet: outside.quiet }),
    })
    return await night.result()
  } finally {
    await outside?.close()
  }
}

type Surroundings = { readonly lab: LabWorld; readonly clock: VirtualClock; readonly ports: Outside['ports'] }

type Due = { readonly atMs: number; readonly command: Command }

/** Commands after which there may be one more maintenance. */
const BEGINS: readonly string[] = ['start', 'watch', 'release']

class Night {
  readonly clock: VirtualClock
  readonly lab: LabWorld
  readonly journal: MemoryJournal
  readonly #engine: MemoryEngine
  readonly #ports: Ports
  readonly #options: NightOptions
  readonly #startMs: number
  readonly #policy: StoryPolicy
  readonly #maintenances: Maintenances
  readonly #rows: JournalRow[] = []
  #due: Due[] = []
  #hasEnded = false
  #overAtMs: number | undefined
  /** Moments of death until the next crash, where the script asked for one. */
  #crashIn: number | undefined

  constructor(options: NightOptions, { lab, clock, ports }: Surroundings) {
    this.#options = options
    this.clock = clock
    this.lab = lab
    this.#startMs = clock.atMs
    this.#policy = {
      ...DEFAULT_STORY_POLICY,
      ...options.policy,
      plan: { ...options.snapshot.policy, ...options.policy?.plan },
    }
    this.journal = new MemoryJournal(this.clock, { isAway: () => this.#databaseBackAtMs > this.clock.trueMs })
    this.journal.onRow((row) => this.#onRow(row))
    const definitions: Record<string, SagaFunction> = {}
    this.#engine = new MemoryEngine({
      clock: this.clock,
      definitions,
      restartAfterMs: RESTART_AFTER_MS,
      databaseAwayUntilMs: () => this.#databaseBackAtMs,
      ...options.engine,
      onBoundary: (n, where) => {
        options.engine?.onBoundary?.(n, where)
        this.#dieIfDue(where)
      },
    })
    this.#maintenances = new Maintenances({
      engine: this.#engine,
      snapshot: options.snapshot,
      policy: this.#policy,
    })
    this.#ports = this.#fenced({ ...labPorts(lab, options.storage), ...ports, journal: this.journal, clock })
    definitions[MAINTENANCE_SAGA] = maintenanceSaga(this.#ports) as SagaFunction
    definitions[MOVE_SAGA] = moveSaga(this.#ports) as SagaFunction
    for (const line of options.script) this.#schedule(line.when, line.command)
  }

  /** A process that is dead does nothing more, and it can die between any two calls. The clock is everybody's. */
  #fenced(ports: Ports): Ports {
    const engine = this.#engine
    return {
      ...ports,
      hypervisor: engine.fence('hypervisor', ports.hypervisor),
      storage: engine.fence('storage', ports.storage),
      bmc: engine.fence('bmc', ports.bmc),
      probe: engine.fence('probe', ports.probe),
      notifier: engine.fence('notifier', ports.notifier),
      inventory: engine.fence('inventory', ports.inventory),
      publisher: engine.fence('publisher', ports.publisher),
      journal: engine.fence('journal', ports.journal),
    }
  }

  get isOver(): boolean {
    if (this.#hasEnded) return true
    const { count, haveEnded } = this.#maintenances
    if (count === 0 || !haveEnded || this.#due.some(({ command }) => BEGINS.includes(command.is))) {
      this.#overAtMs = undefined
      return false
    }
    this.#overAtMs ??= this.clock.trueMs + (this.#options.settleMs ?? 0)
    return this.clock.trueMs >= this.#overAtMs
  }

  nextEventAtMs(): number | undefined {
    let next = Math.min(
      this.lab.nextEventAtMs() ?? Number.POSITIVE_INFINITY,
      this.#overAtMs ?? Number.POSITIVE_INFINITY,
    )
    for (const { atMs } of this.#due) next = Math.min(next, atMs)
    return Number.isFinite(next) ? next : undefined
  }

  advanceTo(atMs: number): void {
    this.lab.advanceTo(atMs)
    if (this.#due.some((due) => due.atMs <= atMs)) {
      const now = this.#due.filter((due) => due.atMs <= atMs)
      this.#due = this.#due.filter((due) => due.atMs > atMs)
      for (const { command } of now) this.#obey(command)
    }
    this.clock.jump(this.lab.state.cluster.controlClockOffsetMs ?? 0)
    if (this.#databaseBackAtMs > this.lab.state.nowMs) return
    for (const answer of takeAnswers(this.lab.state)) this.#maintenances.answer(answer)
  }

  get #databaseBackAtMs(): number {
    return this.lab.state.cluster.databaseAwayUntilMs ?? Number.NEGATIVE_INFINITY
  }

  async result(): Promise<NightResult> {
    const last = this.#rows.findLast((row) => row.event.kind === 'maintenance-ended')?.event
    return {
      rows: this.#rows,
      log: renderLog(this.#rows, this.#startMs),
      lab: this.lab,
      ending: last?.kind === 'maintenance-ended' ? last.ending : 'none',
      maintenances: await this.#maintenances.results(),
      endedAtMs: this.clock.trueMs,
    }
  }

  /** Throws where the script's crash falls due: counted in moments of death, so that it can fall between any two awaits. */
  #dieIfDue(where: string): void {
    if (this.#crashIn === undefined || this.#crashIn-- > 0) return
    this.#crashIn = undefined
    throw new SimulatedCrash(where)
  }

  #schedule(when: When, command: Command): void {
    if (when.is === 'at') this.#due.push({ atMs: this.#startMs + when.afterStartMs, command })
  }

  /** Scripts wait for journal entries; the lab's technician and checkers read them too. */
  #onRow(row: JournalRow): void {
    const { event } = row
    this.#rows.push(row)
    this.#maintenances.note(row)
    if (this.#options.endsWith?.(row)) this.#hasEnded = true
    if (row.seq === this.#options.crashAfterRow) this.#engine.crash()
    if (row.seq === this.#options.abortAfterRow)
      this.#due.push({ atMs: this.clock.trueMs + 1000, command: { is: 'abort', reason: 'the operator said so' } })
    noteJournal(this.lab.state, event)
    for (const line of this.#options.script) if (this.#isMeant(line, event)) this.#push(line)
    this.#options.onRow?.(row, this.lab)
  }

  readonly #fired = new Set<number>()

  #isMeant({ when, line }: ScriptLine, event: Event): boolean {
    if (when.is !== 'event' || when.kind !== event.kind) return false
    if (this.#fired.has(line) && !when.every) return false
    return when.words === '' || renderEvent(event).includes(when.words)
  }

  #push({ when, command, line }: ScriptLine): void {
    if (when.is !== 'event') return
    this.#fired.add(line)
    this.#due.push({ atMs: this.clock.trueMs + when.delayMs, command })
  }

  #obey(command: Command): void {
    // Whoever clicks while the database is away reads that it is, and clicks again.
    if (command.is !== 'fault' && command.is !== 'crash' && this.#databaseBackAtMs > this.lab.state.nowMs) {
      this.#due.push({ atMs: this.#databaseBackAtMs + CLICKS_AGAIN_AFTER_MS, command })
      return
    }
    switch (command.is) {
      case 'fault': {
        const answer = takeFault(this.lab.state, command.fault)
        if (answer.is === 'bad' && this.#options.skipsBadFaults !== true)
          throw new Error(`bad fault in the script: ${answer.problems.join('; ')}`)
        return
      }
      case 'start':
        void this.#start(this.#word(command))
        return
      case 'watch':
        this.#watch()
        return
      case 'crash':
        if (command.afterAwaits === 0) this.#engine.crash()
        else this.#crashIn = command.afterAwaits
        return
      case 'release':
        this.#maintenances.release()
        return
      case 'again':
        this.#maintenances.again(command.what, command.how)
        return
      default:
        this.#maintenances.say(this.#message(command))
        if ((this.lab.state.doubleClicksUntilMs ?? 0) > this.lab.state.nowMs)
          this.#maintenances.say(this.#message(command))
    }
  }

  #message(command: Extract<Command, { is: ControlMessage['kind'] }>): ControlMessage {
    const by = 'olga'
    switch (command.is) {
      case 'approve':
        return {
          kind: 'approve',
          by: command.by,
          plan: this.#maintenances.planOf(this.#maintenances.current ?? '') ?? planId(''),
          lifted: command.lifted,
          reason: command.lifted.length === 0 ? 'read and agreed' : 'the risk is known and taken',
        }
      case 'reject':
        return { kind: 'reject', by, reason: command.reason }
      case 'lift':
        return { kind: 'lift', by, lifted: command.lifted, reason: 'the risk is known and taken' }
      case 'pause':
        return { kind: 'pause', by, cancelRunning: command.cancelRunning }
      case 'resume':
        return { kind: 'resume', by }
      case 'abort':
        return { kind: 'abort', by, reason: command.reason }
    }
  }

  #word({ node, part, reason: text }: Extract<Command, { is: 'start' }>): Finding {
    return findingByWord({ atMs: this.clock.atMs, node: nodeName(node), part, text })
  }

  #tries = 0

  async #start(finding: Finding): Promise<void> {
    const answer = await this.#maintenances.start(finding)
    if (answer !== 'busy' || this.#tries++ >= START_TRIES_LIMIT) return
    const { node, part, text: reason } = finding
    this.#due.push({ atMs: this.clock.trueMs + START_AGAIN_MS, command: { is: 'start', node, part, reason } })
  }

  #watch(): void {
    let kept: WatchState | undefined
    const stop = new AbortController()
    const watch = {
      nodes: this.#options.snapshot.cluster.nodes.map((node) => node.name),
      poller: bmcPoller({ bmc: this.#ports.bmc, log: () => {}, patienceMs: 'endless' }),
      clock: this.clock,
      everyMs: WATCH_EVERY_MS,
      store: {
        load: async () => kept,
        save: async (state: WatchState) => {
          kept = JSON.parse(JSON.stringify(state)) as WatchState
        },
      },
      onFinding: async (finding: Finding) => {
        if (!asksForMaintenance(finding)) return true
        stop.abort()
        await this.#start(finding)
        return true
      },
      log: () => {},
    }
    void runWatch(watch, stop.signal)
  }
}
