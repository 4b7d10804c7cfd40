/** Every night in this folder, played in memory and compared with its expected log; the ten promises are looked after throughout. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { playNight } from '#app/night/play'
import { isScenario, readScenario } from '#app/night/scenario'

const ROOT = import.meta.dirname
const LINES_LIMIT = 120
const folders = readdirSync(ROOT).filter((name) => isScenario(join(ROOT, name)))

it('every night that the list of conditions names is there', () => {
  const safety = readFileSync(join(ROOT, '..', 'docs', 'safety.md'), 'utf8')
  const rows = safety.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| **'))
  const named = rows.slice(1).flatMap((line) => line.split('|')[3]?.trim().split(', ') ?? [])
  expect(named.length).toBeGreaterThan(60)
  expect(named.filter((name) => !folders.includes(name))).toEqual([])
})

describe.each(folders)('%s', (name) => {
  const folder = join(ROOT, name)
  const expectedPath = join(folder, 'log.expect')

  it('goes as expected, and breaks no promise', async () => {
    const night = await playNight(readScenario(folder))
    const { brokenPromises, startedTwice } = night.lab.state
    const text = `${night.log.join('\n')}\n`
    if (process.env.UPDATE === '1' && process.env.CI === undefined) writeFileSync(expectedPath, text)
    expect(existsSync(expectedPath), `${name}/log.expect is missing: write it with UPDATE=1`).toBe(true)
    expect(brokenPromises).toEqual([])
    expect(startedTwice).toEqual([])
    expect(night.log.length).toBeLessThanOrEqual(LINES_LIMIT)
    expect(text).toBe(readFileSync(expectedPath, 'utf8'))
  })
})
