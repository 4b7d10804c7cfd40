/** The whole story, from the first word to the customers' pages, on nights that each go another way, while the program is killed. */
import { describe, expect, it } from 'vitest'
import { brokenIn, endStateOf } from '#app/chaos/end-state'
import { sagaNights } from '#app/chaos/saga-nights'
import {
  nameOfTrial,
  playTrial,
  playUndisturbed,
  type SagaTrial,
  sampleOf,
  type TrialKind,
  trialsOf,
  type Undisturbed,
} from '#app/chaos/saga-trials'
import { playCalm } from './night-kit.ts'

/** Of each night so many of its trials; `coulisse test --chaos` plays them all. */
const CUTS = 40
const REPEATS = 16
const REFUSALS = 16
const SEED = 1
/** Seconds on two cores that are ours alone. */
const LIMIT_MS = 180_000

const calm = await Promise.all(sagaNights().map(playUndisturbed))

async function expectWhole(night: Undisturbed, trials: readonly SagaTrial[]): Promise<void> {
  const endings: Record<string, number> = {}
  for (const trial of trials) {
    const { where, ending, broken } = await playTrial(night, trial)
    expect
      .soft(broken, `${nameOfTrial(trial)}, ${where}\nagain: ./coulisse test --chaos --trial ${nameOfTrial(trial)}`)
      .toEqual([])
    endings[ending] = (endings[ending] ?? 0) + 1
  }
  console.info(`${night.night.name}: ${trials.length} trials of ${trialsOf(night).length}: ${JSON.stringify(endings)}`)
}

const ofKind = (night: Undisturbed, ...kinds: readonly TrialKind[]) =>
  trialsOf(night).filter(({ kind }) => kinds.includes(kind))

const nights = calm.map((night) => [night.night.name, night] as const)

describe.each(nights)('on the night "%s"', { timeout: LIMIT_MS }, (name, night) => {
  it('a power cut after any journal entry, or at any await, changes nothing in the end', async () => {
    const cuts = sampleOf(ofKind(night, 'cut-await'), { count: CUTS, seed: SEED })
    const rows = ofKind(night, 'cut-row')
    await expectWhole(night, [...(name === 'plain' ? rows : sampleOf(rows, { count: CUTS / 4, seed: SEED })), ...cuts])
  })

  it('a step may run twice, any of them or all of them, and nothing is done twice', async () => {
    const trials = ofKind(night, 'twice-keep-first', 'twice-keep-second')
    const all = trials.filter(({ at }) => at === 0)
    await expectWhole(night, [...all, ...sampleOf(trials, { count: REPEATS, seed: SEED })])
  })

  it('a step may fail, once or for ever: what was touched is taken back, or it is stuck and says so', async () => {
    const once = sampleOf(ofKind(night, 'once-before', 'once-after'), { count: REFUSALS, seed: SEED })
    const ever = ofKind(night, 'ever-before', 'ever-after')
    await expectWhole(night, [...once, ...(name === 'plain' ? ever : sampleOf(ever, { count: REFUSALS, seed: SEED }))])
  })
})

describe('an abort', { timeout: LIMIT_MS }, () => {
  it('after any journal entry takes all back: everybody home, nothing left set', async () => {
    const undisturbed = await playCalm()
    const before = { ...endStateOf(undisturbed), ending: '', pages: [] }
    const endings: Record<string, number> = {}
    const last = undisturbed.rows.findIndex(({ event }) => event.kind === 'stage-began' && event.stage === 'tell')
    for (let row = 1; row < last; row++) {
      const night = await playCalm({ abortAfterRow: row })
      const where = `after row ${row}, ${JSON.stringify(undisturbed.rows[row - 1]?.event).slice(0, 120)}: ${night.log.at(-2)}`
      expect(brokenIn(night), where).toEqual([])
      expect(['undone', 'done'], where).toContain(night.ending)
      expect({ ...endStateOf(night), ending: '', pages: [] }, where).toEqual(before)
      endings[night.ending] = (endings[night.ending] ?? 0) + 1
    }
    console.info(`aborts after ${last - 1} journal entries: ${JSON.stringify(endings)}`)
  })
})
