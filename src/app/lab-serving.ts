/** Runs the lab's servers until a signal; the world is written after every event and taken up again. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Vmid } from '#domain/ids'
import { parseSnapshot } from '#drivers/snapshot/snapshot-file'
import { startLabServer } from './lab-server.ts'
import { untilSignal } from './until-signal.ts'

/** Real daemons are ended one after the other. */
const END_LIMIT_MS = 30_000

/** First line on stdout: the contract's ready line. Returns the faults of the snapshot, if there are any; nothing ran then. */
export async function serveLab(options: {
  readonly snapshot: string
  readonly speed: number | 'max'
  readonly seed: number
  readonly port: number
  readonly follow: boolean
  readonly state?: string
  readonly real: boolean
  /** With `real`: these are real too. */
  readonly guests: readonly Vmid[]
}): Promise<readonly string[]> {
  let text: string
  try {
    text = readFileSync(options.snapshot, 'utf8')
  } catch (error) {
    return [`${options.snapshot}: cannot be read: ${error instanceof Error ? error.message : error}`]
  }
  const parsed = parseSnapshot(text)
  if (!parsed.ok) return parsed.faults
  if (options.state !== undefined) mkdirSync(options.state, { recursive: true })
  const server = await startLabServer({
    snapshot: parsed.snapshot,
    seed: options.seed,
    pace: { speed: options.speed, mode: options.follow ? 'follow' : 'free' },
    controlPort: options.port,
    ...(options.state === undefined ? {} : { worldFile: join(options.state, 'world.json') }),
    ...(options.real && options.state !== undefined ? { real: { dir: options.state, guests: options.guests } } : {}),
    log: (line) => process.stderr.write(`${line}\n`),
  })
  process.stdout.write(`${JSON.stringify(server.ready)}\n`)
  await untilSignal()
  setTimeout(() => process.exit(0), END_LIMIT_MS).unref()
  await server.close()
  process.exit(0)
}
