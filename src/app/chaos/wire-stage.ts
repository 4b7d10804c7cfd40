/** The stage of one story over the wire: PostgreSQL, the lab and control planes as processes of ours, with a gate on every way. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeEmbeddedPostgres, startEmbeddedPostgres, stopEmbeddedPostgres } from '#drivers/postgres/embedded'
import { SNAPSHOT } from '../demo/cluster.ts'
import { writeConfig } from '../demo/lab-config.ts'
import type { ReadyLine } from '../lab-server.ts'
import { TcpGate, type Way } from './tcp-gate.ts'
import { WireDatabase } from './wire-database.ts'
import { WireProcess } from './wire-process.ts'

/** One control plane, and what stands between it and the rest. */
export type Worker = {
  readonly process: WireProcess
  /** Undefined until it is ready. */
  url: string | undefined
  /** Frozen or cut off: people do not turn to it. */
  isAway: boolean
  readonly database: TcpGate
  /** Proxmox, the BMCs, Ceph and the mail. */
  readonly cluster: readonly TcpGate[]
}

/** In the world's own time: nobody polls BMCs but at the start, so that whoever does nothing is silent. */
const WATCH_EVERY_S = 30 * 86_400

const START_AGAIN_MS = 500
/** A story needs a few dozen; more means that none can begin. */
const WORKERS_LIMIT = 200

export class WireStage {
  readonly dir: string
  readonly database: WireDatabase
  readonly ready: ReadyLine
  readonly workers: Worker[] = []
  /** How many strokes have befallen it so far. */
  strokeCount = 0
  /** The last words of workers that ended by themselves. */
  readonly deaths: string[] = []
  readonly #lab: WireProcess
  readonly #databaseUrl: string
  #postmasterPid: number
  #workerCount = 0
  #isStruck = false

  private constructor(parts: {
    readonly dir: string
    readonly lab: WireProcess
    readonly ready: ReadyLine
    readonly postgres: { readonly url: string; readonly pid: number }
  }) {
    this.dir = parts.dir
    this.#lab = parts.lab
    this.ready = parts.ready
    this.#databaseUrl = parts.postgres.url
    this.#postmasterPid = parts.postgres.pid
    this.database = new WireDatabase(parts.postgres.url)
    standing.add(this)
  }

  /** Rejects when something does not start; then nothing is left. */
  static async set(seed: number): Promise<WireStage> {
    const dir = mkdtempSync(join(tmpdir(), 'coulisse-chaos-'))
    // Open to the account under which root runs PostgreSQL.
    await chmod(dir, 0o755)
    const lab = new WireProcess({
      name: 'lab',
      dir,
      args: ['lab', 'serve', '--snapshot', SNAPSHOT, '--seed', String(seed), '--speed', 'max', '--follow'],
    })
    const [postgres, ready] = await Promise.allSettled([
      startEmbeddedPostgres({ stateDir: dir, log: () => {} }),
      lab.ready<ReadyLine>(),
    ])
    if (postgres.status === 'fulfilled' && ready.status === 'fulfilled')
      return new WireStage({ dir, lab, ready: ready.value, postgres: postgres.value })
    await lab.kill()
    await forget(dir)
    throw (postgres.status === 'rejected' ? postgres : (ready as PromiseRejectedResult)).reason
  }

  /** Resolves when it is ready, or when it was ended before. */
  async addWorker(): Promise<Worker> {
    const name = `worker-${++this.#workerCount}`
    const dir = join(this.dir, name)
    mkdirSync(dir)
    const database = await TcpGate.open({ path: socketOf(this.#databaseUrl) })
    const { ready, gates, control } = await this.#gated()
    // The story may have ended meanwhile: what began now nobody would end.
    if (this.#isStruck) {
      await Promise.all([database, ...gates].map((gate) => gate.close()))
      throw new Error('the stage was struck')
    }
    const config = writeConfig(dir, ready, `postgresql://coulisse@127.0.0.1:${database.port}/coulisse`)
    writeFileSync(config, readFileSync(config, 'utf8').replace(/everyS: \d+/, `everyS: ${WATCH_EVERY_S}`))
    const process = new WireProcess({
      name,
      dir: this.dir,
      args: ['serve', '--config', config],
      env: { COULISSE_LAB_CONTROL: control, COULISSE_ENDS_POSTGRES_IN: this.dir },
    })
    const worker: Worker = { process, url: undefined, isAway: false, database, cluster: gates }
    this.workers.push(worker)
    process.gone.then(() => this.#buried(worker))
    try {
      worker.url = (await process.ready<{ url: string }>()).url
    } catch (error) {
      // One that was killed on its way up is as dead as it should be.
      if (!process.isGone) throw error
    }
    return worker
  }

  /** A machine's supervisor starts again what ended by itself: one that found no database at its start does. */
  async #buried({ process, url, database, cluster }: Worker): Promise<void> {
    if (!process.wasKilled) {
      if (url !== undefined) this.deaths.push(`${process.name} ended by itself: ${process.lastWords()}`)
      await sleep(START_AGAIN_MS)
      if (!this.#isStruck && this.#workerCount < WORKERS_LIMIT) void this.addWorker().catch(() => {})
    }
    await Promise.all([database, ...cluster].map((gate) => gate.close()))
  }

  /** The lab as this worker reaches it: time and truth directly, all else through gates. */
  async #gated() {
    const gates: TcpGate[] = []
    const through = async (url: string) => {
      const { protocol, hostname, port } = new URL(url)
      const gate = await TcpGate.open({ host: hostname, port: Number(port) })
      gates.push(gate)
      return `${protocol}//127.0.0.1:${gate.port}`
    }
    const { ready } = this
    const control = await through(ready.control)
    const proxmox = await Promise.all(ready.proxmox.map(async (one) => ({ ...one, url: await through(one.url) })))
    const redfish = await Promise.all(ready.redfish.map(async (one) => ({ ...one, url: await through(one.url) })))
    const smtp = (await through(`smtp://${ready.smtp}`)).replace('smtp://', '')
    const ceph = { ...(ready.ceph as object), env: { COULISSE_LAB_CONTROL: control } }
    return { control, gates, ready: { ...ready, proxmox, redfish, smtp, ceph } }
  }

  get living(): readonly Worker[] {
    return this.workers.filter(({ process }) => !process.isGone)
  }

  /** Those that are up and that nothing ails. */
  get well(): readonly Worker[] {
    return this.living.filter(({ url, isAway }) => url !== undefined && !isAway)
  }

  /** kill -9 of the postmaster; its children follow it. */
  killDatabase(): void {
    process.kill(this.#postmasterPid, 'SIGKILL')
  }

  stopDatabase(): Promise<void> {
    return stopEmbeddedPostgres(this.dir)
  }

  async startDatabase(): Promise<void> {
    this.#postmasterPid = (await startEmbeddedPostgres({ stateDir: this.dir, log: () => {} })).pid
  }

  /** Ends all that runs here and forgets it. Repeating it changes nothing. */
  async strike(): Promise<void> {
    this.#isStruck = true
    standing.delete(this)
    await this.database.close()
    await Promise.all([...this.workers.map(({ process }) => process.kill()), this.#lab.kill()])
    await forget(this.dir)
  }
}

const standing = new Set<WireStage>()

/** For whoever is told to end in the middle of a story. */
export async function strikeAll(): Promise<void> {
  await Promise.all([...standing].map((stage) => stage.strike()))
}

async function forget(dir: string): Promise<void> {
  await removeEmbeddedPostgres(dir)
  rmSync(dir, { recursive: true, force: true })
}

const socketOf = (url: string) => join(new URL(url).searchParams.get('host') ?? '', '.s.PGSQL.5432')

export function turn(gates: readonly TcpGate[], way: Way): void {
  for (const gate of gates) gate.turn(way)
}

export const requestsThrough = (gates: readonly TcpGate[]) => gates.reduce((sum, gate) => sum + gate.requestCount, 0)
