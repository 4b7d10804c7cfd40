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
  type SagaTrial,
  type SagaVerdict,
  type TrialKind,
  trialOfName,
} from '#app/chaos/saga-trials'

export type ChaosOptions = {
  readonly json: boolean
  readonly seed: number
  /** Of each night in memory at most so many trials; undefined: all. */
  readonly perNight: number | undefined
}

const say = (text: string) => process.stderr.write(`${text}\n`)

const replayOf = (trial: SagaTrial) => `./coulisse test --chaos --trial ${nameOfTrial(trial)}`

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

/** True when nothing was broken. */
export async function chaos({ json, seed, perNight }: ChaosOptions): Promise<boolean> {
  const beganMs = performance.now()
  const figures: Partial<Record<TrialKind, KindFigures>> = {}
  const broken: SagaVerdict[] = []
  const onVerdict = (verdict: SagaVerdict) => {
    const { kind } = verdict.trial
    figures[kind] ??= { trials: 0, broken: 0, endings: {} }
    const ofKind = figures[kind]
    ofKind.trials++
    ofKind.endings[verdict.ending] = (ofKind.endings[verdict.ending] ?? 0) + 1
    if (verdict.broken.length === 0) return
    ofKind.broken++
    broken.push(verdict)
    say(`BROKEN ${verdict.where}: ${verdict.broken.join('; ')}\n  again: ${replayOf(verdict.trial)}`)
  }
  const threads = Math.max(1, Math.min(4, availableParallelism()))
  await playSagaChaos({ seed, threads, perNight: perNight ?? Number.POSITIVE_INFINITY, onVerdict })
  const wallS = Math.round((performance.now() - beganMs) / 1000)
  const memory = { wallS, kinds: figures, broken: broken.map((one) => ({ ...one, again: replayOf(one.trial) })) }
  if (json) process.stdout.write(`${JSON.stringify({ seed, memory })}\n`)
  else process.stdout.write(tableOf(figures, wallS))
  return broken.length === 0
}

function tableOf(figures: Partial<Record<TrialKind, KindFigures>>, wallS: number): string {
  const lines = Object.entries(figures).map(([kind, { trials, broken, endings }]) => {
    const ends = Object.entries(endings).map(([ending, count]) => `${count} ${ending}`)
    return `${kind.padEnd(18)} ${String(trials).padStart(6)} trials  ${String(broken).padStart(3)} broken  ${ends.join(', ')}`
  })
  return `${['in memory, the whole saga:', ...lines, `${wallS} s`].join('\n')}\n`
}
