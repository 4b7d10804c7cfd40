/** `coulisse test --chaos`: the nightly set. Everything dies, repeats itself and is refused; nothing that is promised may break. */
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { BadInput } from '#app/bad-input'
import { playSagaChaos } from '#app/chaos/saga-all'
import { sagaNights } from '#app/chaos/saga-nights'
import {
  logOfTrial,
  nameOfTrial,
  playTrial,
  playUndisturbed,
  type SagaVerdict,
  type TrialKind,
  trialOfName,
} from '#app/chaos/saga-trials'
import { playWireChaos, wireFigures } from '#app/chaos/wire-all'
import { strikeAll } from '#app/chaos/wire-stage'

export type ChaosOptions = {
  readonly json: boolean
  readonly seed: number
  /** Of each night in memory at most so many trials; undefined: all. */
  readonly perNight: number | undefined
  /** Over the wire so many processes die by -9, or a few more. */
  readonly kills: number
  readonly only: 'memory' | 'wire' | undefined
}

const say = (text: string) => process.stderr.write(`${text}\n`)

/** One trial in memory again, with its log. True when nothing is broken. */
export async function replayTrial(name: string, json: boolean): Promise<boolean> {
  const trial = trialOfName(name)
  const night = sagaNights().find((one) => one.name === trial?.night)
  if (trial === undefined || night === undefined) {
    const nights = sagaNights().map((one) => one.name)
    throw new BadInput([`--trial: NIGHT/KIND/MOMENT, with NIGHT one of ${nights.join(', ')}, not "${name}"`])
  }
  const calm = await playUndisturbed(night)
  const verdict = await playTrial(calm, trial)
  if (json) process.stdout.write(`${JSON.stringify(verdict)}\n`)
  else {
    const log = await logOfTrial(calm, trial)
    process.stdout.write(`${[...log, '', `${verdict.where}: ${verdict.ending}`, ...verdict.broken].join('\n')}\n`)
  }
  return verdict.broken.length === 0
}

type KindFigures = { trials: number; broken: number; endings: Record<string, number> }
type MemoryFigures = Partial<Record<TrialKind, KindFigures>>

/** True when nothing was broken. */
export async function chaos(options: ChaosOptions): Promise<boolean> {
  const { seed, json, only } = options
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void endNow())
  const memory = only === 'wire' ? undefined : await inMemory(options)
  const wire = only === 'memory' ? undefined : await overTheWire(options)
  if (json) process.stdout.write(`${JSON.stringify({ seed, memory, wire })}\n`)
  else process.stdout.write(`${[...memoryTable(memory), ...wireTable(wire)].join('\n')}\n`)
  return (memory?.broken.length ?? 0) + (wire?.broken.length ?? 0) === 0
}

/** Nothing that was started stays. */
async function endNow(): Promise<void> {
  await strikeAll()
  process.exit(INTERRUPTED)
}

const INTERRUPTED = 130

async function inMemory({ seed, perNight }: ChaosOptions) {
  const beganMs = performance.now()
  const kinds: MemoryFigures = {}
  const broken: (SagaVerdict & { readonly again: string })[] = []
  const onVerdict = (verdict: SagaVerdict) => {
    const { kind } = verdict.trial
    kinds[kind] ??= { trials: 0, broken: 0, endings: {} }
    const ofKind = kinds[kind]
    ofKind.trials++
    ofKind.endings[verdict.ending] = (ofKind.endings[verdict.ending] ?? 0) + 1
    if (verdict.broken.length === 0) return
    ofKind.broken++
    const again = `./coulisse test --chaos --trial ${nameOfTrial(verdict.trial)}`
    broken.push({ ...verdict, again })
    say(`BROKEN ${verdict.where}: ${verdict.broken.join('; ')}\n  again: ${again}`)
  }
  const threads = Math.max(1, Math.min(THREADS_LIMIT, availableParallelism()))
  await playSagaChaos({ seed, threads, perNight: perNight ?? Number.POSITIVE_INFINITY, onVerdict })
  return { wallS: Math.round((performance.now() - beganMs) / 1000), kinds, broken }
}

const THREADS_LIMIT = 8

async function overTheWire({ seed, kills }: ChaosOptions) {
  const broken: { readonly seed: number; readonly text: string; readonly again: string }[] = []
  const again = (story: number) => `./coulisse test --chaos --only wire --kills 1 --seed ${story}`
  const stories = await playWireChaos({
    seed,
    kills,
    onStroke: (story, { kind, row, delayMs, forMs, takeoverMs }) => {
      const lasts = forMs === 0 ? '' : `, for ${forMs} ms`
      const taken = takeoverMs === undefined ? '' : `; another goes on after ${takeoverMs} ms`
      say(`seed ${story}, row ${row} and ${delayMs} ms: ${kind}${lasts}${taken}; again: ${again(story)}`)
    },
    onStory: (story) => {
      say(`seed ${story.seed}: ${story.ending}: ${story.text} (${Math.round(story.wallMs / 1000)} s)`)
      for (const text of story.broken) {
        broken.push({ seed: story.seed, text, again: again(story.seed) })
        say(`BROKEN ${text}\n  again: ${again(story.seed)}`)
      }
    },
  })
  return { ...wireFigures(stories), broken }
}

const countsText = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')

function memoryTable(memory: Awaited<ReturnType<typeof inMemory>> | undefined): readonly string[] {
  if (memory === undefined) return []
  const lines = Object.entries(memory.kinds).map(([kind, { trials, broken, endings }]) => {
    const counts = `${String(trials).padStart(6)} trials  ${String(broken).padStart(3)} broken`
    return `  ${kind.padEnd(18)} ${counts}  ${countsText(endings)}`
  })
  return [`in memory, the whole saga (${memory.wallS} s):`, ...lines]
}

function wireTable(wire: Awaited<ReturnType<typeof overTheWire>> | undefined): readonly string[] {
  if (wire === undefined) return []
  const { kills, stories, strokes, endings, broken, takeover, wallS } = wire
  const ms = (figure: number | undefined) => (figure === undefined ? 'unmeasured' : `${figure} ms`)
  return [
    `over the wire (${wallS} s):`,
    `  kills      ${kills}, in ${stories} maintenances`,
    `  strokes    ${countsText(strokes)}`,
    `  endings    ${countsText(endings)}`,
    `  broken     ${broken.length}`,
    `  takeover   median ${ms(takeover.medianMs)}, 95 % within ${ms(takeover.p95Ms)}, of ${takeover.count}`,
  ]
}
