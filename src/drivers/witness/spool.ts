/** What was not taken yet, on disk, oldest first: a file a sending, written whole or not at all. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SampleChunk } from '#domain/probing'

export type Spooled = { readonly name: string; readonly chunks: readonly SampleChunk[] }

/** About a day of 500 targets in slow beat, or two hours in the fast one. */
const SPOOL_LIMIT_BYTES = 512 * 1024 * 1024

export class Spool {
  readonly #folder: string
  readonly #limitBytes: number
  readonly #log: (text: string) => void
  #count = 0

  constructor(folder: string, log: (text: string) => void, limitBytes = SPOOL_LIMIT_BYTES) {
    this.#folder = folder
    this.#limitBytes = limitBytes
    this.#log = log
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** Full, it forgets the oldest and says so: those samples are missing then, and what rested on them is not measured. */
  put(chunks: readonly SampleChunk[]): string {
    const name = `${String(Date.now()).padStart(15, '0')}-${String(++this.#count).padStart(6, '0')}.json`
    writeFileSync(join(this.#folder, `${name}.new`), JSON.stringify(chunks), { mode: 0o600 })
    renameSync(join(this.#folder, `${name}.new`), join(this.#folder, name))
    this.#keepLimit()
    return name
  }

  /** A file that cannot be read (a full disk cut it) is dropped, and said. */
  oldest(): Spooled | undefined {
    for (const name of this.#names()) {
      try {
        return { name, chunks: JSON.parse(readFileSync(join(this.#folder, name), 'utf8')) as SampleChunk[] }
      } catch (error) {
        this.#log(`spooled samples ${name} cannot be read and are dropped: ${error}`)
        this.drop(name)
      }
    }
    return undefined
  }

  drop(name: string): void {
    rmSync(join(this.#folder, name), { force: true })
  }

  #names(): readonly string[] {
    return readdirSync(this.#folder)
      .filter((name) => name.endsWith('.json'))
      .sort()
  }

  #keepLimit(): void {
    const files = this.#names().map((name) => ({ name, bytes: statSync(join(this.#folder, name)).size }))
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    for (const file of files.slice(0, -1)) {
      if (bytes <= this.#limitBytes) return
      this.#log(`the spool holds more than ${this.#limitBytes} bytes: samples ${file.name} are dropped`)
      this.drop(file.name)
      bytes -= file.bytes
    }
  }
}
