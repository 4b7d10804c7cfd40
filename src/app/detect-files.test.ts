import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
