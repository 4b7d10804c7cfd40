/** How fast the detector is, by the processor's time so that a busy machine does not matter, and how much memory a fleet takes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { newDetector, observeSignals } from '#detect/decide'
import type { DetectorState } from '#detect/state'
import { nodeName } from '#domain/ids'
import type { PartKind, Signal } from '#domain/signal'
import { readTrace } from '#drivers/trace/trace-file'
import { findingsOf } from './ours.ts'
import { chanceOf, DAY, EPOCH_MS, faultyFan, MINUTE, merged, nodeWith, signalsOf } from './worlds.ts'

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Twenty nodes in which every first fan flaps 24 times a day: log records and the readings beside them. */
function stream(): readonly Signal[] {
  const untilMs = 40 * DAY
  const streams = Array.from({ length: 20 }, (_, index) => {
    const chance = chanceOf(5, index)
    const given = { node: `pve${index}`, everyMs: MINUTE, polls: true, missed: 0, clockErrorMs: 0 }
    return signalsOf(nodeWith(faultyFan(chance, untilMs, 24), { ...given, chance, untilMs, noise: 5 }), chance)
  })
  return merged(streams)
}

function lineOf(signal: Signal): string {
  const { is: _, atMs, receivedAtMs, ...rest } = signal
  return JSON.stringify({ at: new Date(atMs).toISOString(), receivedAt: new Date(receivedAtMs).toISOString(), ...rest })
}

export type Speed = {
  readonly signals: number
  readonly signalsPerSecond: number
  readonly recordsPerSecond: number
  readonly linesPerSecond: number
}

const ROUNDS = 5

/** The best of five: what the code can do when nothing else wants the caches. */
export async function speed(): Promise<Speed> {
  const signals = stream()
  const records = signals.filter((signal) => signal.is === 'part' && signal.recordId !== undefined)
  const rateOf = (list: readonly Signal[]) => {
    const rates = Array.from({ length: ROUNDS }, () => {
      const before = cpuSeconds()
      findingsOf(list, 40 * DAY)
      return list.length / (cpuSeconds() - before)
    })
    return Math.round(Math.max(...rates))
  }
  return {
    signals: signals.length,
    signalsPerSecond: rateOf(signals),
    recordsPerSecond: rateOf(records),
    linesPerSecond: await linesPerSecond(signals),
  }
}

async function linesPerSecond(signals: readonly Signal[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'coulisse-bench-'))
  try {
    const path = join(folder, 'trace.jsonl')
    await writeFile(path, `${signals.map(lineOf).join('\n')}\n`)
    const rates: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const before = cpuSeconds()
      let state: DetectorState = newDetector()
      for await (const { signals: batch } of readTrace(path)) {
        state = observeSignals(state, batch, batch.at(-1)?.receivedAtMs ?? 0).state
      }
      rates.push(signals.length / (cpuSeconds() - before))
    }
    return Math.round(Math.max(...rates))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export type Memory = {
  readonly parts: number
  readonly heapMiB: number
  readonly jsonMiB: number
  /** The same after every part had an episode a month for a year. */
  readonly busyHeapMiB: number
  readonly busyJsonMiB: number
}

const PARTS_A_NODE = 40
const KINDS: readonly PartKind[] = ['fan', 'temperature', 'memory', 'disk', 'psu', 'link']

/** 10,000 nodes of 40 parts. Measured on a tenth and multiplied: a fleet is so many nodes that know nothing of each other. */
export function memory(): Memory {
  const nodes = 1000
  const before = heapMiB()
  let state = healthy(nodes)
  const quiet = { heap: heapMiB() - before, json: jsonMiB(state) }
  for (let month = 1; month <= 12; month++) state = glitchAll(state, nodes, month)
  const busy = { heap: heapMiB() - before, json: jsonMiB(state) }
  return {
    parts: nodes * PARTS_A_NODE * 10,
    heapMiB: Math.round(quiet.heap * 10),
    jsonMiB: Math.round(quiet.json * 10),
    busyHeapMiB: Math.round(busy.heap * 10),
    busyJsonMiB: Math.round(busy.json * 10),
  }
}

const partsOf = (node: number) =>
  Array.from({ length: PARTS_A_NODE }, (_, index) => ({
    node: nodeName(`node-${node}`),
    part: `PART ${index}A`,
    kind: KINDS[index % KINDS.length] ?? 'fan',
    model: 'R740',
  }))

function healthy(nodes: number): DetectorState {
  let state = newDetector()
  for (let node = 0; node < nodes; node++) {
    const times = { atMs: EPOCH_MS, receivedAtMs: EPOCH_MS }
    const signals = partsOf(node).map(
      (part): Signal => ({ is: 'part', ...times, ...part, source: 'poll', state: 'ok', edge: null }),
    )
    state = observeSignals(state, signals, EPOCH_MS).state
  }
  return state
}

function glitchAll(before: DetectorState, nodes: number, month: number): DetectorState {
  let state = before
  const signals: Signal[] = []
  for (let index = 0; index < PARTS_A_NODE; index++) {
    const atMs = EPOCH_MS + month * 30 * DAY + index * 30 * MINUTE
    for (let node = 0; node < nodes; node++) {
      const part = partsOf(node)[index]
      if (!part) continue
      const times = { atMs, receivedAtMs: atMs }
      const recordId = (month * PARTS_A_NODE + index) * 2
      signals.push({ is: 'part', ...times, ...part, source: 'sel', state: 'critical', edge: 'assert', recordId })
      signals.push({
        is: 'part',
        ...times,
        ...part,
        source: 'sel',
        state: 'critical',
        edge: 'deassert',
        recordId: recordId + 1,
      })
    }
  }
  for (let from = 0; from < signals.length; from += 8192) {
    const batch = signals.slice(from, from + 8192)
    state = observeSignals(state, batch, batch.at(-1)?.receivedAtMs ?? 0).state
  }
  return state
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is reachable. */
function heapMiB(): number {
  collect()
  return process.memoryUsage().heapUsed / 2 ** 20
}

const jsonMiB = (state: DetectorState) => Buffer.byteLength(JSON.stringify(state)) / 2 ** 20
