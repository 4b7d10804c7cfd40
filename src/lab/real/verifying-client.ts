/** A client of the real cluster that writes and verifies objects throughout: what a guest's disk would feel. */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { RealCeph } from './ceph-cluster.ts'
import { daemonsIn, failed } from './processes.ts'

export type VerifyReport = {
  readonly startedAtMs: number
  readonly atMs: number
  readonly writeCount: number
  readonly verifyCount: number
  /** Operations that failed; one that only waits is slow, not failed. */
  readonly errorCount: number
  /** Objects that were read back as something else. */
  readonly mismatchCount: number
  readonly worstMs: number
  readonly worstAtMs: number
  readonly lastError: string
  /** The most objects that Ceph called misplaced while an OSD was away; one look a second; null: never seen so. */
  readonly misplacedAway: number | null
  /** The same while all OSDs were up: right after a return some are, until their copies have caught up. */
  readonly misplacedWhole: number | null
}

export type VerifyingClient = {
  report(): Promise<VerifyReport>
  /** The last report. */
  stop(): Promise<VerifyReport>
}

const PYTHON = '/usr/bin/python3'
const NAME = 'verify'
const FIRST_LOOKS_LIMIT = 300
const FIRST_LOOKS_APART_MS = 100

/** @param dir a folder of its own for pid file, log and report. */
export async function startVerifyingClient(real: RealCeph, dir: string): Promise<VerifyingClient> {
  const daemons = daemonsIn(dir)
  await daemons.endAll()
  const file = join(dir, 'verify.json')
  await rm(file, { force: true })
  const script = fileURLToPath(new URL('verify.py', import.meta.url))
  const [pool = ''] = real.pools
  await daemons.start(NAME, [PYTHON, script, real.conf, real.verifyKeyring, real.verifyName, pool, file])
  const report = async () => JSON.parse(await readFile(file, 'utf8')) as VerifyReport
  for (let look = 1; ; look++) {
    const first = await report().catch(() => undefined)
    if (first !== undefined) break
    if (look >= FIRST_LOOKS_LIMIT) throw failed('start the verifying client', new Error(`see ${join(dir, 'log')}`))
    await sleep(FIRST_LOOKS_APART_MS)
  }
  return {
    report,
    stop: async () => {
      const last = await report()
      await daemons.end(NAME, 'SIGTERM')
      return last
    },
  }
}
