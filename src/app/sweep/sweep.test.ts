import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readScenario } from '../night/scenario.ts'
import { Chance, streamsOf } from './chance.ts'
import { DRAWN_KINDS, drawFault } from './draw-fault.ts'
import { drawNight } from './draw-night.ts'
import { playDrawn } from './play-drawn.ts'
import { readRecord } from './read-record.ts'
import { sweep } from './sweep.ts'
import { recordNight, writeScenario } from './write-night.ts'

const folder = mkdtempSync(join(tmpdir(), 'coulisse-sweep-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('one more draw for one subject does not shift those of another', () => {
  const [one, other] = [streamsOf(7), streamsOf(7)]
  const before = one('guest/101').next()
  other('fault/0').next()
  other('fault/0').next()
  expect(other('guest/101').next()).toBe(before)
  expect(streamsOf(8)('guest/101').next()).not.toBe(before)
})

test('a night with more faults is the same night otherwise', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const [night, more] = [drawNight(seed), drawNight(seed, { moreFaults: 2 })]
    const faults = (one: typeof night) => one.parts.filter(({ what }) => what === 'fault')
    const rest = (one: typeof night) => ({ ...one, parts: one.parts.filter(({ what }) => what !== 'fault') })
    expect(rest(more)).toEqual(rest(night))
    expect(faults(more).slice(0, faults(night).length)).toEqual(faults(night))
  }
})

test('every kind of fault that the lab knows is drawn', () => {
  const kinds = new Set<string>()
  for (let seed = 1; seed <= 30; seed++) {
    const { snapshot } = drawNight(seed)
    const [node] = snapshot.nodes
    for (const kind of DRAWN_KINDS)
      if (node && drawFault(new Chance(seed, kind), kind, { snapshot, node: node.name }) !== undefined) kinds.add(kind)
  }
  expect(DRAWN_KINDS.filter((kind) => !kinds.has(kind))).toEqual([])
})

test('equal seed, equal hash, whatever the number of threads', async () => {
  const one = await sweep({ nights: 24, seed: 501, workers: 1 })
  const two = await sweep({ nights: 24, seed: 501, workers: 2 })
  expect(one.nights).toBe(24)
  expect(two.hash).toBe(one.hash)
  expect(two.eventCount).toBe(one.eventCount)
})

test('nights of every sort break no promise and end', async () => {
  const { broken, nights, endings } = await sweep({ nights: 150, seed: 1 })
  console.info(`${nights} drawn nights: ${JSON.stringify(endings)}`)
  expect(broken.map(({ replay, promise, text }) => `${replay}: promise ${promise}: ${text}`)).toEqual([])
}, 180_000)

test('a night that was recorded is played again event by event, and as a scenario', async () => {
  const night = drawNight(4)
  const file = join(folder, 'night.jsonl')
  const outcome = await recordNight(night, file)
  const [head, ...lines] = readRecord(file)
  expect(head).toMatchObject({ is: 'night', format: 'coulisse/night-record@1', night: { seed: 4 } })
  expect(lines.at(-1)).toMatchObject({ is: 'end', outcome: { hash: outcome.hash } })
  expect(outcome.hash).toBe((await playDrawn(night)).outcome.hash)
  writeScenario(join(folder, 'scenario'), night, { promise: 'liveness', event: 0, atMs: 0, text: 'none' })
  const scenario = readScenario(join(folder, 'scenario'))
  expect(scenario.seed).toBe(4)
  expect(scenario.startAtMs).toBe(night.startAtMs)
})
