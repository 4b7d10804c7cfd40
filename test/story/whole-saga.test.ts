/** The whole story, from the first word to the customers' pages, while the program is killed, repeats itself, and is refused. */
import { describe, expect, it } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { SimulatedCrash } from '#lab/engine/memory-engine'
import { brokenIn, endStateOf, leaseOf, playCalm } from './night-kit.ts'

/** Moments of death that are tried, out of all. */
const SAMPLES = 80

describe('a power cut', () => {
  it('after any journal entry changes nothing in the end', async () => {
    const calm = await playCalm()
    const wanted = endStateOf(calm)
    expect(wanted.ending).toBe('done')
    for (let row = 1; row <= calm.rows.length; row++) {
      const night = await playCalm({ crashAfterRow: row })
      const where = `after row ${row} of ${calm.rows.length}, ${JSON.stringify(calm.rows[row - 1]?.event).slice(0, 120)}`
      expect(brokenIn(night), where).toEqual([])
      expect(endStateOf(night), where).toEqual(wanted)
    }
    console.info(`power cuts after all ${calm.rows.length} journal entries`)
  })

  it('at any await changes nothing in the end', async () => {
    let count = 0
    const calm = await playCalm({ engine: { onBoundary: () => void count++ } })
    const wanted = endStateOf(calm)
    const every = Math.ceil(count / SAMPLES)
    let tried = 0
    for (let at = 3; at < count; at += every) {
      let where = ''
      const onBoundary = (n: number, name: string) => {
        if (n !== at) return
        where = `at boundary ${n}: ${name}`
        throw new SimulatedCrash(where)
      }
      const night = await playCalm({ engine: { onBoundary } })
      expect(brokenIn(night), where).toEqual([])
      expect(endStateOf(night), where).toEqual(wanted)
      tried++
    }
    console.info(`power cuts at ${tried} of ${count} boundaries, every ${every}th`)
  })
})

describe('an abort', () => {
  it('after any journal entry takes all back: everybody home, nothing left set', async () => {
    const calm = await playCalm()
    const before = { ...endStateOf(calm), ending: '', pages: [] }
    const endings: Record<string, number> = {}
    const last = calm.rows.findIndex(({ event }) => event.kind === 'stage-began' && event.stage === 'tell')
    for (let row = 1; row < last; row++) {
      const night = await playCalm({ abortAfterRow: row })
      const where = `after row ${row}, ${JSON.stringify(calm.rows[row - 1]?.event).slice(0, 120)}: ${night.log.at(-2)}`
      expect(brokenIn(night), where).toEqual([])
      expect(['undone', 'done'], where).toContain(night.ending)
      expect({ ...endStateOf(night), ending: '', pages: [] }, where).toEqual(before)
      endings[night.ending] = (endings[night.ending] ?? 0) + 1
    }
    console.info(`aborts after ${last - 1} journal entries: ${JSON.stringify(endings)}`)
  })
})

describe('a step', () => {
  it('may run twice, every one of them, and nothing is done twice', async () => {
    const wanted = endStateOf(await playCalm())
    const night = await playCalm({ engine: { everyStepTwice: true } })
    expect(brokenIn(night)).toEqual([])
    expect(endStateOf(night)).toEqual(wanted)
  })

  it('may fail for ever, every one of them: all is taken back, or it is stuck and says so', async () => {
    const names = await stepNames()
    const endings: string[] = []
    for (const name of names) {
      const night = await playCalm({ engine: { aroundAct: failing(name) } })
      endings.push(`${name}: ${night.ending}`)
      if (process.env.SHOW) console.info(`${name}: ${night.ending}\n  ${night.log.slice(-30).join('\n  ')}`)
      expect.soft(brokenIn(night), name).toEqual([])
      expect.soft(['done', 'undone', 'failed', 'stuck'], `${name}: ${night.log.at(-1)}`).toContain(night.ending)
      if (night.ending === 'undone' || night.ending === 'failed') expect.soft(leaseOf(night), name).toBeUndefined()
    }
    console.info(`each of ${names.length} kinds of steps failed for ever:\n${endings.join('\n')}`)
  })
})

const kindOf = (step: string) => step.replace(/\d+/g, '#')

/** Notes are the journal's: without it nothing is done at all, and the story waits for it outside. */
async function stepNames(): Promise<readonly string[]> {
  const names = new Set<string>()
  await playCalm({
    engine: {
      aroundAct: (where, act) => {
        names.add(kindOf(where.step))
        return act()
      },
    },
  })
  return [...names].filter((name) => !name.startsWith('note '))
}

const failing =
  (name: string) =>
  async <T>(where: { readonly step: string }, act: () => Promise<T>): Promise<T> => {
    if (kindOf(where.step) === name) throw new DriverError('proxmox', where.step, { retry: 'never', text: 'no' })
    return act()
  }
