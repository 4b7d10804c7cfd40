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
/** People try again while the database is away. */
const patiently = (call: () => Promise<unknown>) =>
  eventually(() =>
    call().then(
      () => true,
      () => undefined,
    ),
  )
await playRich({
  id: task.id,
  engine: {
    start: async (...args) => {
      await patiently(() => engine.start(...args))
      return { is: 'started' }
    },
    send: async (...args) => {
      await patiently(() => engine.send(...args))
    },
  },
  noted: notedIn(ledger),
})
await eventually(async () => {
  const status = await engine.status(task.id).catch(() => undefined)
  return status && status.is !== 'running' ? true : undefined
})
await engine.shutdown()
