/** The demo's launcher: PostgreSQL, lab and control plane as processes of their own, in one state folder that outlives them. */
import { existsSync, mkdirSync } from 'node:fs'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { type EmbeddedPostgres, startEmbeddedPostgres, stopEmbeddedPostgres } from '#drivers/postgres/embedded'
import type { ReadyLine } from '../lab-server.ts'
import { guestsToMove, SNAPSHOT } from './cluster.ts'
import { writeConfig } from './lab-config.ts'
import { type Lock, takeLock } from './lock.ts'
import { type Child, forgetPid, recordPid, startChild, stopChild, whenPidGone } from './processes.ts'
import { endReal, prepareReal } from './real.ts'
import { countStart, forgetStory, isFinished, removeIfEmpty } from './state-folder.ts'

export type DemoOptions = {
  readonly stateDir: string
  readonly seed: number
  readonly speed: number | 'max'
  readonly real: boolean
  /** With `real`: so many guests are real QEMU processes. */
  readonly guestCount: number
  readonly log: (text: string) => void
}

export type Demo = {
  readonly stateDir: string
  /** The lab's control URL: faults in, truth out. */
  readonly control: string
  /** The control plane's. */
  readonly url: string
  readonly pids: { readonly lab: number; readonly postgres: number; readonly controlPlane: number }
  /** How often this story was taken up again by a new start. */
  readonly resumed: number
  readonly ready: ReadyLine
  readonly isReal: boolean
  /** Settles with its name when one of the three is gone without being asked. */
  readonly broken: Promise<string>
  stop(): Promise<void>
}

const MAIN = fileURLToPath(import.meta.resolve('../../surfaces/cli/main.ts'))
/** A real Ceph makes its stores and real guests boot first. */
const REAL_LAB_READY_LIMIT_MS = 300_000

/** Starts what does not run, goes on where the last start was. Throws when another launcher holds the folder; then nothing was touched. */
export async function launchDemo(options: DemoOptions): Promise<Demo> {
  const { stateDir } = options
  mkdirSync(stateDir, { recursive: true })
  const lock = await takeLock(stateDir)
  try {
    recordPid(stateDir, 'launcher', process.pid)
    return await launchAll(options, lock)
  } catch (error) {
    lock.ending()
    await stopAll(stateDir, options.real)
    await lock.release()
    throw error
  }
}

async function launchAll(options: DemoOptions, lock: Lock): Promise<Demo> {
  const { stateDir, log } = options
  // A launcher that was killed leaves its children behind for a moment.
  await Promise.all([stopChild(stateDir, 'control-plane'), stopChild(stateDir, 'lab')])
  // A real Ceph is gone with its lab: such a story does not go on, it begins anew.
  if (options.real) await endReal(stateDir)
  if (options.real || isFinished(stateDir)) await forgetStory(stateDir)
  if (options.real) await prepareReal({ log, withGuests: options.guestCount > 0 })
  const resumed = countStart(stateDir)
  log(resumed === 0 ? 'starting PostgreSQL, the lab and the control plane' : 'going on where the last start was')
  const [postgres, lab] = await bothOrNone(startPostgres(stateDir), startLab(options))
  const ready = lab.ready as unknown as ReadyLine
  const configPath = writeConfig(stateDir, ready, postgres.url)
  const controlPlane = await startChild({
    name: 'control-plane',
    argv: [execPath, MAIN, 'serve', '--config', configPath],
    stateDir,
    // It is the one that outlives a killed launcher long enough to end PostgreSQL as well.
    env: { COULISSE_ENDS_POSTGRES_IN: stateDir, COULISSE_LAB_CONTROL: ready.control },
  })
  const broken = Promise.race([
    whenGone(lab, 'the lab'),
    whenGone(controlPlane, 'the control plane'),
    whenPidGone(postgres.pid).then(() => 'PostgreSQL'),
  ])
  broken.then(() => lock.ending())
  return {
    stateDir,
    control: ready.control,
    url: String(controlPlane.ready.url),
    pids: { lab: lab.pid, postgres: postgres.pid, controlPlane: controlPlane.pid },
    resumed,
    ready,
    isReal: options.real,
    broken,
    stop: async () => {
      lock.ending()
      await stopAll(stateDir, options.real)
      await lock.release()
    },
  }
}

/** Both have come to an end, good or bad, before the first failure is told: nothing starts behind the back of whoever cleans up. */
async function bothOrNone<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b])
  return Promise.all([a, b])
}

async function startPostgres(stateDir: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ stateDir, log: () => {} })
  recordPid(stateDir, 'postgres', postgres.pid)
  return postgres
}

const whenGone = async (child: Child, name: string) => {
  await child.gone
  return name
}

function startLab({ stateDir, seed, speed, real, guestCount }: DemoOptions): Promise<Child> {
  const realOptions = real ? ['--real', '--guests', guestsToMove(guestCount).join(',')] : []
  const options = ['--snapshot', SNAPSHOT, '--seed', String(seed), '--speed', String(speed), '--follow']
  return startChild({
    name: 'lab',
    argv: [execPath, MAIN, 'lab', 'serve', ...options, '--state', `${stateDir}/lab`, ...realOptions],
    stateDir,
    ...(real ? { readyLimitMs: REAL_LAB_READY_LIMIT_MS } : {}),
  })
}

/** The control plane before those it needs. A lab that died, or was slow to end, has left its real daemons. */
async function stopAll(stateDir: string, real: boolean): Promise<void> {
  await stopChild(stateDir, 'control-plane')
  await Promise.all([stopChild(stateDir, 'lab'), stopEmbeddedPostgres(stateDir)])
  forgetPid(stateDir, 'postgres')
  forgetPid(stateDir, 'launcher')
  if (real) await endReal(stateDir)
}

/** Ends what runs on the folder and removes all that the demo wrote there. Repeating it changes nothing. */
export async function cleanDemo(stateDir: string): Promise<void> {
  if (!existsSync(stateDir)) return
  await stopChild(stateDir, 'launcher')
  const lock = await takeLock(stateDir)
  await stopAll(stateDir, true)
  await forgetStory(stateDir)
  removeIfEmpty(stateDir)
  await lock.release()
}
