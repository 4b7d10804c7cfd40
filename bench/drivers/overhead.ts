/** What the control plane adds to the migrations themselves: a real drain on DBOS, PostgreSQL and the wire, in real time. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '#app/config/read'
import { writeConfig } from '#app/demo/lab-config'
import { startLabServer } from '#app/lab-server'
import { startControlPlane } from '#app/running'
import type { JournalRow } from '#domain/event'
import { type NodeName, nodeName } from '#domain/ids'
import type { Plan } from '#domain/plan'
import type { Snapshot } from '#domain/snapshot'
import { startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { startMigration } from '#lab/world/commands'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'
import { clusterToDrain, DRAINED } from './cluster.ts'

type ResidentGibOf = (index: number) => number

const GUESTS = 12
const PARALLEL = 3
/** Over a third of 10 Gbit/s, with what is around the copy: 8 s each, and 12 to 30 s each. */
export const SHORT_MOVES: ResidentGibOf = () => 2.5
export const USUAL_MOVES: ResidentGibOf = (index) => 4 + (index % 4) * 2
const SEED = 7
const DRAIN_LIMIT_MS = 300_000

export type Overhead = {
  readonly guests: number
  readonly parallel: number
  /** The first wish to the last guest's proof, by the journal. */
  readonly movesS: number
  /** The same moves of the same world, each begun in the very moment in which one before it ends, and nothing else: simulated. */
  readonly idealS: number
  readonly overheadPercent: number
  readonly meanMigrationS: number
  /** From the stage's beginning to the first wish, and from the last proof to its end: looks, and the pause between two of them. */
  readonly beforeS: number
  readonly afterS: number
  readonly policyPauseS: number
}

export async function measureOverhead(residentGibOf: ResidentGibOf): Promise<Overhead> {
  const snapshot = clusterToDrain({
    guests: GUESTS,
    parallel: PARALLEL,
    withHa: false,
    residentGibOf,
  })
  const stateDir = mkdtempSync(join(tmpdir(), 'coulisse-bench-drain-'))
  const lab = await startLabServer({ snapshot, seed: SEED, pace: { speed: 1, mode: 'free' } })
  const postgres = await startEmbeddedPostgres({ stateDir, log: () => {} })
  try {
    const path = writeConfig(stateDir, lab.ready, postgres.url)
    appendFileSync(path, `policy: { plan: { parallelMigrations: ${PARALLEL} } }\n`)
    const { controlPlane, close } = await startControlPlane(readConfig(path), path, () => {})
    try {
      return figuresOf(await drain(controlPlane), snapshot)
    } finally {
      await close()
    }
  } finally {
    await postgres.stop()
    await lab.close()
    rmSync(stateDir, { recursive: true, force: true })
  }
}

type ControlPlane = Awaited<ReturnType<typeof startControlPlane>>['controlPlane']

/** The journal's rows up to the end of the drain; its plan is approved when it is proposed. */
async function drain(controlPlane: ControlPlane): Promise<readonly JournalRow[]> {
  const rows: JournalRow[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const stop = controlPlane.subscribe((row) => {
    rows.push(row)
    const { event } = row
    if (event.kind === 'plan-proposed') {
      const approval = { kind: 'approve', by: 'olga', plan: event.plan.id, lifted: [], reason: 'a benchmark' } as const
      controlPlane.control(row.maintenance, approval, `approve-${row.seq}`).catch(reject)
    }
    if (event.kind === 'stage-ended' && event.stage === 'drain') resolve()
    if (event.kind === 'maintenance-ended') reject(new Error(`it ended ${event.ending}: ${event.text}`))
  })
  const timer = setTimeout(() => reject(new Error('the drain did not end in time')), DRAIN_LIMIT_MS)
  try {
    await controlPlane.start({ node: nodeName(DRAINED), reason: 'a benchmark', by: 'olga' }, 'bench')
    await promise
  } finally {
    clearTimeout(timer)
    stop()
  }
  return rows
}

function figuresOf(rows: readonly JournalRow[], snapshot: Snapshot): Overhead {
  const timesOf = (isMeant: (row: JournalRow) => boolean) => rows.filter(isMeant).map(({ atMs }) => atMs)
  const wishes = timesOf(({ event }) => event.kind === 'intends' && event.act.kind === 'migrate')
  const ends = timesOf(({ event }) => event.kind === 'did' && event.act.kind === 'migrate')
  const [stageMs = 0] = timesOf(({ event }) => event.kind === 'stage-began' && event.stage === 'drain')
  const [overMs = 0] = timesOf(({ event }) => event.kind === 'stage-ended' && event.stage === 'drain')
  const approved = rows.findLast(({ event }) => event.kind === 'plan-proposed')?.event
  if (approved?.kind !== 'plan-proposed') throw new Error('there was no plan')
  const empty = rows.findLast(({ event }) => event.kind === 'node-empty')?.event
  const movesMs = Math.max(...ends) - Math.min(...wishes)
  const ideal = idealMover(snapshot, approved.plan)
  const seconds = (ms: number) => Math.round(ms / 100) / 10
  return {
    guests: ends.length,
    parallel: approved.plan.parallelMigrations,
    movesS: seconds(movesMs),
    idealS: seconds(ideal.makespanMs),
    overheadPercent: Math.round((movesMs / ideal.makespanMs - 1) * 1000) / 10,
    meanMigrationS: seconds(ideal.meanMs),
    beforeS: seconds(Math.min(...wishes) - stageMs),
    afterS: seconds(overMs - Math.max(...ends)),
    policyPauseS: empty?.kind === 'node-empty' ? seconds(empty.apartMs) : 0,
  }
}

/** Knows the moment in which each migration ends, and begins the next in it: what no control plane can be faster than. */
function idealMover(snapshot: Snapshot, plan: Plan): { readonly makespanMs: number; readonly meanMs: number } {
  const startAtMs = snapshot.cluster.observedAtMs
  const lab = new LabWorld(createWorld({ snapshot, seed: SEED, startAtMs }))
  const world = lab.state
  const steps = Map.groupBy(plan.moves, ({ step }) => step)
  for (const step of [...steps.keys()].sort((one, other) => one - other)) {
    const waiting = [...(steps.get(step) ?? [])].sort((one, other) => one.startsAtS - other.startsAtS)
    const underWay = () => Object.values(world.tasks).filter(({ status }) => status === 'running').length
    while (waiting.length > 0 || underWay() > 0) {
      while (waiting.length > 0 && underWay() < plan.parallelMigrations) {
        const { guest, from, to, mode } = waiting.shift() as (typeof waiting)[number]
        const answer = startMigration(world, { guest, from, to: to as NodeName, mode, withLocalDisks: false, by: 'us' })
        if (answer.is === 'refused') throw new Error(`guest ${guest}: ${answer.text}`)
      }
      lab.advanceTo(lab.nextEventAtMs() ?? world.nowMs)
    }
  }
  const durations = Object.values(world.tasks).map(({ startedAtMs, endedAtMs = 0 }) => endedAtMs - startedAtMs)
  const meanMs = durations.reduce((sum, ms) => sum + ms, 0) / durations.length
  return { makespanMs: world.nowMs - startAtMs, meanMs }
}
