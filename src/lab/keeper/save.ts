/** Keeps the world on disk: written whole beside the old one and renamed over it, so that a kill at any instruction leaves one of both. */
import { constants, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { World } from '#lab/world/state'

/** Changes of one burst are written together. */
const WRITE_EVERY_REAL_MS = 50

export class WorldFile {
  readonly #path: string
  readonly #world: World
  #writtenCount = -1
  #writtenAtMs = -1
  #timer: NodeJS.Timeout | undefined
  #timeFile: number | undefined

  constructor(path: string, world: World) {
    this.#path = path
    this.#world = world
    mkdirSync(dirname(path), { recursive: true })
  }

  /** Written within 50 ms. */
  soon(): void {
    this.#timer ??= setTimeout(() => this.now(), WRITE_EVERY_REAL_MS)
  }

  /** In place, at one length and in one write, which a kill cannot cut in two: it happens many times a second. */
  #writeTime(nowMs: number): void {
    this.#timeFile ??= openSync(timePath(this.#path), constants.O_RDWR | constants.O_CREAT, 0o600)
    writeSync(this.#timeFile, JSON.stringify({ nowMs }).padEnd(TIME_LENGTH), 0)
  }

  /** Before a command is answered: what was promised to the caller is on disk. */
  now(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const { changeCount, nowMs } = this.#world
    if (this.#writtenCount !== changeCount) writeWhole(this.#path, JSON.stringify(this.#world))
    else if (this.#writtenAtMs !== nowMs) this.#writeTime(nowMs)
    this.#writtenCount = changeCount
    this.#writtenAtMs = nowMs
  }
}

const TIME_LENGTH = 64

/** Where only time went on, only that is written: world time never goes back for whoever read it. */
const timePath = (path: string) => `${path}.time`

/** No fsync: the world outlives a killed process, not a machine that loses power. */
function writeWhole(path: string, text: string): void {
  const beside = `${path}.new`
  writeFileSync(beside, text, { mode: 0o600 })
  renameSync(beside, path)
}

/** undefined: there is none yet. A file that is no world is an error: nobody overwrites what he cannot read. */
export function loadWorld(path: string): World | undefined {
  const text = readIfThere(path)
  if (text === undefined) return undefined
  const world = JSON.parse(text) as World
  if (world.format !== 'coulisse/world@1') throw new Error(`${path} holds no world of this version: move it away`)
  const later = JSON.parse(readIfThere(timePath(path)) || '{}') as { nowMs?: number }
  const nextEventAtMs = world.events[0]?.atMs ?? Number.POSITIVE_INFINITY
  world.nowMs = Math.max(world.nowMs, Math.min(later.nowMs ?? 0, nextEventAtMs))
  return world
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
