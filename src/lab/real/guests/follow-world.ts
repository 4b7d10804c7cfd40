/**
 * Joins real guests to the simulated world. The world says where a guest runs; its process follows. A move that the world begins is
 * done for real, and the world's ends when the real one has ended, with that one's figures.
 */
import type { NodeName, Vmid } from '#domain/ids'
import { breakPromise } from '#lab/promises/broken'
import { schedule } from '#lab/world/events'
import { guestOf } from '#lab/world/guests'
import type { LabWorld } from '#lab/world/lab-world'
import type { RealCopy, WorldMigration } from '#lab/world/state'
import type { PostCopy } from './post-copy.ts'
import type { RealGuests, RealMove } from './real-guests.ts'
import { WorldTime } from './world-time.ts'

export type FollowedGuests = {
  readonly time: WorldTime
  /** Every move so far, and what went wrong, when all that is under way has been told. */
  story(): Promise<RealStory>
  /** Follows no more. What is under way ends when its process does: `settled`. */
  halt(): void
  settled(): Promise<unknown>
}

export type RealStory = { readonly moves: readonly RealMove[]; readonly troubles: readonly string[] }

export type FollowOptions = {
  readonly lab: LabWorld
  readonly guests: RealGuests
  /** Where their processes run when the following begins. */
  readonly at: ReadonlyMap<Vmid, NodeName>
  readonly onChange: () => void
  readonly log: (line: string) => void
}

/** A node that is off has no processes: nobody sees it sooner. */
const LOOK_EVERY_MS = 100
/** A guest that does not come up is tried so often, and told each time. */
const BOOTS_LIMIT = 3

export function followWorld(options: FollowOptions): FollowedGuests {
  const follower = new Follower(options)
  return {
    time: follower.time,
    story: () => follower.story(),
    halt: () => follower.halt(),
    settled: () => follower.settled(),
  }
}

class Follower {
  readonly time = new WorldTime()
  readonly #options: FollowOptions
  readonly #at: Map<Vmid, NodeName>
  /** What is being done with a guest's process: one thing at a time. */
  readonly #work = new Map<Vmid, Promise<void>>()
  readonly #failedBoots = new Map<Vmid, number>()
  readonly #told = new Set<Promise<void>>()
  readonly #moves: RealMove[] = []
  readonly #troubles: string[] = []
  readonly #timer: NodeJS.Timeout
  #auditing = Promise.resolve()
  #isAuditing = false
  #isHalted = false

  constructor(options: FollowOptions) {
    this.#options = options
    this.#at = new Map(options.at)
    const { migrations } = options.lab.state
    // Whoever moved these died with an earlier lab.
    for (const one of Object.values(migrations)) if (one.real) this.#conclude(one.id, LAB_IS_NEW)
    this.time.note(options.lab.state.nowMs, Date.now())
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
  }

  async story(): Promise<RealStory> {
    await Promise.all([...this.#work.values(), ...this.#told])
    return { moves: this.#moves, troubles: this.#troubles }
  }

  halt(): void {
    this.#isHalted = true
    clearInterval(this.#timer)
  }

  settled(): Promise<unknown> {
    return Promise.allSettled([...this.#work.values(), ...this.#told, this.#auditing])
  }

  #look(): void {
    const world = this.#options.lab.state
    this.time.note(world.nowMs, Date.now())
    for (const guest of this.#options.guests.guests) {
      if (this.#work.has(guest)) continue
      const move = Object.values(world.migrations).find((one) => one.guest === guest)
      if (move?.real?.is === 'wanted') this.#do(guest, () => this.#carry(move))
      else if (move === undefined) this.#reconcile(guest)
    }
    if (this.#isAuditing) return
    this.#isAuditing = true
    this.#auditing = this.#audit()
      .catch((error: unknown) => this.#trouble(`nobody could look at nodes that are off: ${wordsOf(error)}`))
      .finally(() => {
        this.#isAuditing = false
      })
  }

  #do(guest: Vmid, act: () => Promise<void>): void {
    const work = act()
      .catch((error: unknown) => this.#trouble(`guest ${guest}: ${wordsOf(error)}`))
      .finally(() => this.#work.delete(guest))
    this.#work.set(guest, work)
  }

  #trouble(text: string): void {
    if (this.#troubles.includes(text)) return
    this.#troubles.push(text)
    this.#options.log(text)
  }

  async #carry(move: WorldMigration): Promise<void> {
    const { guests, lab } = this.#options
    const { id, guest, from, to } = move
    const mayCommit = () => {
      const still = lab.state.migrations[id]
      if (still?.real?.is !== 'wanted') return false
      still.real = { is: 'switched' }
      return true
    }
    const beganAtMs = Date.now()
    const { outcome, told } = await guests.move({ guest, from, to, mayCommit })
    // What breaks because the lab is being taken down is nobody's failure.
    if (this.#isHalted) return void told.catch(() => undefined)
    this.#at.set(guest, outcome.is === 'moved' ? to : from)
    if (outcome.is === 'lost') await this.#lose(guest, from, outcome.text)
    this.#conclude(id, copyOf(outcome, Date.now() - beganAtMs))
    const heard = told
      .then((one) => {
        if (outcome.is === 'moved') this.#moves.push(one)
      })
      .catch((error: unknown) => this.#trouble(`guest ${guest}: ${wordsOf(error)}`))
      .finally(() => this.#told.delete(heard))
    this.#told.add(heard)
  }

  /** Neither end runs it any more: it is started again where the world has it, and that is told as what it is. */
  async #lose(guest: Vmid, from: NodeName, text: string): Promise<void> {
    await this.#options.guests.cut(guest, from)
    this.#at.delete(guest)
    this.#trouble(`guest ${guest} was lost on its move away from ${from}, and is started again from its disk: ${text}`)
    breakPromise(this.#options.lab.state, 3, `guest ${guest} was lost on its move and had to be started again`)
  }

  /** Wakes the world's migration, if it is still there: a dead node or a cancellation may have ended it meanwhile. */
  #conclude(id: string, real: RealCopy): void {
    const { lab, onChange } = this.#options
    const move = lab.state.migrations[id]
    if (move === undefined) return
    move.real = real
    schedule(lab.state, lab.state.nowMs, { kind: 'migration', id })
    lab.advanceTo(lab.state.nowMs)
    onChange()
  }

  #reconcile(guest: Vmid): void {
    const { lab, guests, log } = this.#options
    const [wanted] = guestOf(lab.state, guest)?.runsOn ?? []
    const at = this.#at.get(guest)
    const failedCount = this.#failedBoots.get(guest) ?? 0
    if (wanted === at || failedCount >= BOOTS_LIMIT) return
    this.#do(guest, async () => {
      if (at !== undefined) await guests.cut(guest, at)
      this.#at.delete(guest)
      log(`guest ${guest}: ${wanted === undefined ? `ended on ${at}` : `starts on ${wanted}`}, as in its cluster`)
      if (wanted === undefined) return
      this.#failedBoots.set(guest, failedCount + 1)
      await guests.boot(guest, wanted)
      this.#failedBoots.delete(guest)
      this.#at.set(guest, wanted)
    })
  }

  /** A node that is off runs nothing: a process of it that is left would be a guest twice. */
  async #audit(): Promise<void> {
    const { lab, guests } = this.#options
    for (const { name, state } of Object.values(lab.state.nodes)) {
      if (state !== 'off' && state !== 'dead') continue
      for (const guest of await guests.processesOn(name)) {
        if (this.#work.has(guest) || this.#at.get(guest) === name) continue
        breakPromise(lab.state, 3, `a process of guest ${guest} is left on ${name}, which is off`)
        await guests.cut(guest, name)
      }
    }
  }
}

const LAB_IS_NEW: RealCopy = { is: 'failed', text: 'the lab was started anew' }
const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

function copyOf(outcome: PostCopy, tookMs: number): RealCopy {
  if (outcome.is !== 'moved') return { is: 'failed', text: outcome.text }
  const { downtimeMs: blackoutMs, transferredBytes } = outcome
  return { is: 'moved', blackoutMs, transferredBytes, tookMs }
}
