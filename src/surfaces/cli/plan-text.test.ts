import { describe, expect, test } from 'vitest'
import { aCluster, aGuest, aNode, GIB, keepTogether, planOf } from '#plan/testing'
import { type Paper, renderPlan } from './plan-text.ts'

const nodes = ['pve1', 'pve2', 'pve3', 'pve4'].map((name) => aNode(name))
const HOT = { residentBytes: 4 * GIB, dirtyBytesPerSecond: 7e8, writableWorkingSetBytes: GIB, pauseBudgetMs: 300 }
const quiet = Array.from({ length: 6 }, (_, index) =>
  aGuest(201 + index, 'pve1', { pauseBudgetMs: 1000, residentBytes: (2 + index) * GIB }),
)
const PLAIN: Paper = { columns: 80, hasColours: false }

function shown(guests = quiet, paper = PLAIN, rules = [keepTogether()]): string {
  const cluster = aCluster(nodes, guests, rules)
  return renderPlan(planOf(cluster, ['pve1'], { reserveNodes: 0 }), cluster, paper)
}

describe('a plan in the terminal', () => {
  test('fits the paper, whatever its width, but for words that are longer', () => {
    const long = aGuest(101, 'pve1', { name: 'a-name-that-nobody-would-give-to-a-guest-of-his-own', kind: 'ct' })
    for (const columns of [20, 60, 80, 120, 400]) {
      const lines = shown([...quiet, long], { columns, hasColours: false }).split('\n')
      for (const line of lines) expect([...line].length).toBeLessThanOrEqual(Math.min(140, Math.max(60, columns)))
    }
  })

  test('says the bound, the ratio, the longest pause and what may fail afterwards', () => {
    const words = shown().replaceAll(/\s+/g, ' ')
    expect(words).toContain('Drain pve1: every running guest can leave; nothing stands in the way')
    expect(words).toMatch(/No plan takes less than [\d.]+ s: this one takes 1\.\d\d times that\./)
    expect(words).toMatch(/Longest pause: \d+ ms, guest 20\d \(web-20\d\)/)
    expect(words).toMatch(/Afterwards (no further|one more) node may fail/)
  })

  test('shows pauses against what their owners accept, and hot guests alone behind a wall', () => {
    const text = shown([...quiet, aGuest(101, 'pve1', HOT)])
    expect(text).toMatch(/ 201 web-201 .* live .* \d+ of 1000 ms/)
    expect(text).toMatch(/ 101 web-101 .* alone .* \d+ of 300 ms/)
    expect(text).toMatch(/[│ ]\[!101=/)
    expect(text).toContain('moved alone')
  })

  test('draws one lane a stream', () => {
    const cluster = aCluster(nodes, quiet)
    const plan = planOf(cluster, ['pve1'], { reserveNodes: 0, parallelMigrations: 2 })
    const lanes = renderPlan(plan, cluster, PLAIN)
      .split('\n')
      .filter((line) => /^ {2}\[20\d=/.test(line))
    expect(lanes).toHaveLength(2)
  })

  test('says for a partial plan what a whole one would take, and why who stays', () => {
    const container = aGuest(101, 'pve1', { kind: 'ct' })
    const words = shown([...quiet, container, aGuest(102, 'pve1')], PLAIN, [keepTogether(101, 102)]).replaceAll(
      /\s+/g,
      ' ',
    )
    expect(words).toContain('not every running guest can leave; 1 blocker')
    expect(words).toMatch(/To empty the node takes [\d.]+ s at least; this is the part that can be done/)
    expect(words).toContain('restart-not-allowed: 101 web-101')
    expect(words).toContain('kept with partners who stay: 102 web-102')
    expect(words).not.toContain('times that')
  })

  test('says once what lifts several in the same way', () => {
    const containers = [101, 102, 103].map((id) => aGuest(id, 'pve1', { kind: 'ct' }))
    const words = shown([...quiet, ...containers]).replaceAll(/\s+/g, ' ')
    expect(words.match(/lifted by/g)).toHaveLength(1)
    expect(words).toContain('policy.allowRestart: [101, 102, 103]')
  })

  test('has colours only where they are asked for', () => {
    const ESCAPE = '\u001b['
    expect(shown()).not.toContain(ESCAPE)
    expect(shown(quiet, { columns: 80, hasColours: true })).toContain(ESCAPE)
  })

  test('is readable for a node from which nothing moves', () => {
    const text = shown([])
    expect(text).toContain('Nothing is moved.')
    expect(text).not.toContain('NaN')
    expect(text).not.toContain('Infinity')
  })
})
