import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { seedStory } from '#detect/traces/build-trace'
import type { Signal } from '#domain/signal'
import { detectOverTrace, findingLine } from './detect-files.ts'

/** As a recorder writes it (contracts, Trace). */
function lineOf(signal: Signal): string {
  const { is, atMs, receivedAtMs, ...rest } = signal
  const source = is === 'bmc' ? { source: 'bmc' } : {}
  return JSON.stringify({
    at: new Date(atMs).toISOString(),
    receivedAt: new Date(receivedAtMs).toISOString(),
    ...source,
    ...rest,
  })
}

async function fileWith(name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coulisse-detect-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

test('a recorded trace gives findings in the form of the contract', async () => {
  const trace = await fileWith('trace.jsonl', `${seedStory().build().map(lineOf).join('\n')}\nrubbish\n`)
  const fleet = await fileWith('fleet.json', JSON.stringify({ nodes: [{ name: 'pve3', fans: 6 }] }))
  const lines: string[] = []
  const summary = await detectOverTrace({ trace, fleet }, (finding) => lines.push(findingLine(finding)))
  expect(summary).toMatchObject({ badLineCount: 1, firstBad: { why: 'not JSON' } })
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { at: '2026-11-02T20:00:00.000Z', node: 'pve3', part: 'FAN3', level: 'quarantine', class: 'intermittent' },
    { at: '2026-11-03T03:00:00.000Z', node: 'pve3', part: 'FAN3', level: 'drain-advised', class: 'intermittent' },
  ])
})

const sample = (name: string) => fileURLToPath(new URL(`../story/1-detect/traces/${name}.jsonl`, import.meta.url))

test.each([
  ['flap', ['pve3 FAN3 quarantine intermittent', 'pve3 FAN3 drain-advised intermittent']],
  ['hard-stop', ['pve3 FAN3 drain-now hard']],
  ['reset', []],
  ['mis-set-threshold', ['pve3 node watch threshold']],
  ['bus', ['pve3 node quarantine common-cause', 'pve3 node drain-advised common-cause']],
  ['noisy-fleet', ['pve3 FAN4 quarantine intermittent']],
  ['bad-input', ['pve3 FAN3 quarantine intermittent', 'pve3 FAN3 drain-advised intermittent']],
] as const)('the sample trace %s gives what it should, and doubled the same', async (name, expected) => {
  // As it is, and with every line doubled.
  const lines = (await readFile(sample(name), 'utf8')).trimEnd().split('\n')
  const doubled = await fileWith('doubled.jsonl', lines.flatMap((line) => [line, line]).join('\n'))
  for (const trace of [sample(name), doubled]) {
    const found: string[] = []
    await detectOverTrace({ trace }, ({ node, part, level, class: kind }) => {
      found.push(`${node} ${part} ${level} ${kind}`)
    })
    expect(found).toEqual(expected)
  }
})

test('what a bad trace holds is counted, said once, and no evidence', async () => {
  const summary = await detectOverTrace({ trace: sample('bad-input') }, () => {})
  expect(summary).toMatchObject({
    badLineCount: 3,
    firstBad: { why: 'not JSON' },
    noticed: { 'two-names': { count: 1 }, 'stale-reading': { count: 1 }, 'unknown-part': { count: 1 } },
  })
})

test('a fleet file that is wrong is refused with its path', async () => {
  const trace = await fileWith('trace.jsonl', '')
  const fleet = await fileWith('fleet.json', JSON.stringify({ nodes: [{ parts: [] }] }))
  await expect(detectOverTrace({ trace, fleet }, () => {})).rejects.toMatchObject({
    faults: [expect.stringContaining('$.nodes.0.name')],
  })
})

test('a file in which no line is a signal is refused', async () => {
  const trace = await fileWith('trace.jsonl', 'these\nare\nwords\n')
  await expect(detectOverTrace({ trace }, () => {})).rejects.toMatchObject({ name: 'BadInput' })
})
