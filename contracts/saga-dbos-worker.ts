/** A worker process of the crash trials: runs the rich saga until it is killed or the saga has ended. */
import { createDbosEngine } from '#drivers/dbos/engine'
import { eventually, FastClock, fileLedger, notedIn } from './saga-dbos-world.ts'
import { contractDefinitions, playRich } from './saga-definitions.ts'

export type WorkerTask = {
  readonly url: string
  readonly ledger: string
  readonly startMs: number
  readonly id: string
}

const task = JSON.parse(process.argv[2] ?? '') as WorkerTask
const clock = new FastClock(task.startMs)
const ledger = fileLedger(task.ledger)
const beganMs = performance.now()
const engine = await createDbosEngine({
  databaseUrl: task.url,
  clock,
  definitions: contractDefinitions({ ledger, clock }),
  onLog: (text) => console.error(text),
})
console.log(`ready after ${Math.round(performance.now() - beganMs)} ms, recovered ${engine.recovered}`)
await playRich({ id: task.id, engine, noted: notedIn(ledger) })
await eventually(async () => ((await engine.status(task.id))?.is === 'running' ? undefined : true))
await engine.shutdown()
