/** Drains of a whole node through a proxy that delays, cuts and repeats: how they end, and whether a promise breaks. */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type FaultDrain, playFaultDrain } from '#app/night/fault-drains'
import { readScenario } from '#app/night/scenario'

const CLUSTER = 'pair-that-belongs-together-goes-home-together'
const NODE = 'pve3'
const DRAINS = 100
const SHOWN_EVERY = 50

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, drains: { type: 'string' }, seed: { type: 'string' } },
})
const drains = Number(values.drains ?? DRAINS)
const firstSeed = Number(values.seed ?? 1)
const { snapshot } = readScenario(join(fileURLToPath(new URL('../scenarios', import.meta.url)), CLUSTER))

const played: FaultDrain[] = []
const beganMs = performance.now()
for (let seed = firstSeed; seed < firstSeed + drains; seed++) {
  played.push(await playFaultDrain(snapshot, NODE, seed))
  if (played.length % SHOWN_EVERY === 0) process.stderr.write(`${played.length} of ${drains} drains\n`)
}

const countOf = (words: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]))

const ways = played.map(({ way }) => way)
const summed = Object.fromEntries(
  Object.keys(ways[0] ?? {}).map((name) => [name, ways.reduce((sum, way) => sum + way[name as keyof typeof way], 0)]),
)
const figures = {
  drains: played.length,
  firstSeed,
  endings: countOf(played.map(({ ending }) => ending)),
  brokenPromises: played.flatMap(({ seed, broken }) => broken.map((text) => ({ seed, text }))),
  guestsStartedTwice: played.flatMap(({ startedTwice }) => startedTwice).length,
  requests: summed,
  worldHours: Math.round(played.reduce((sum, { worldS }) => sum + worldS, 0) / 360) / 10,
  wallS: Math.round((performance.now() - beganMs) / 1000),
}

if (values.json === true) process.stdout.write(`${JSON.stringify(figures)}\n`)
else {
  process.stdout.write(
    'drains of a node of 7 guests over the wire, through a bad way (simulated cluster, real driver)\n',
  )
  for (const [name, value] of Object.entries(figures)) {
    process.stdout.write(`  ${name.padEnd(20)} ${typeof value === 'object' ? JSON.stringify(value) : value}\n`)
  }
}
process.exitCode = figures.brokenPromises.length === 0 && figures.guestsStartedTwice === 0 ? 0 : 1
