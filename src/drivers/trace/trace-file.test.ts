import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseTraceLine, readTrace } from './trace-file.ts'

const LINE = {
  at: '2026-11-02T06:00:00Z',
  receivedAt: '2026-11-02T06:00:03.5Z',
  node: 'pve3',
  source: 'sel',
  part: 'FAN3',
  kind: 'fan',
  state: 'critical',
  edge: 'assert',
  value: 0,
  unit: 'RPM',
  recordId: 17,
  model: 'R740',
}

describe('a line of a trace', () => {
  test('keeps everything that the contract names, and ignores what it does not', () => {
    expect(parseTraceLine(JSON.stringify({ ...LINE, colour: 'blue' }))).toEqual({
      is: 'signal',
      signal: {
        is: 'part',
        atMs: Date.UTC(2026, 10, 2, 6, 0, 0),
        receivedAtMs: Date.UTC(2026, 10, 2, 6, 0, 3, 500),
        node: 'pve3',
        source: 'sel',
        part: 'FAN3',
        kind: 'fan',
        state: 'critical',
        edge: 'assert',
        value: 0,
        unit: 'RPM',
        recordId: 17,
        model: 'R740',
      },
    })
  })

  test('without receivedAt it was received at its own time', () => {
    const read = parseTraceLine('{"at":"2026-11-02T06:00:00Z","node":"pve3","source":"bmc","event":"reset"}')
    const atMs = Date.UTC(2026, 10, 2, 6, 0, 0)
    expect(read).toEqual({
      is: 'signal',
      signal: { is: 'bmc', atMs, receivedAtMs: atMs, node: 'pve3', event: 'reset' },
    })
  })

  test('a BMC that does not know the time borrows ours', () => {
    const read = parseTraceLine(JSON.stringify({ ...LINE, at: 'Pre-Init' }))
    expect(read).toMatchObject({ signal: { atMs: Date.UTC(2026, 10, 2, 6, 0, 3, 500) } })
  })

  test.each([
    ['{', 'not JSON'],
    ['null', '$.'],
    ['[]', '$.'],
    [JSON.stringify({ ...LINE, state: 'sad' }), '$.state'],
    [JSON.stringify({ ...LINE, node: 3 }), '$.node'],
    [JSON.stringify({ ...LINE, at: 'never', receivedAt: undefined }), '$.at: no time'],
    [JSON.stringify({ ...LINE, at: '-000500-01-01T00:00:00Z', receivedAt: undefined }), '$.at: before 1970'],
    [JSON.stringify({ node: 'pve3', at: LINE.at, event: 'sneeze' }), '$.event'],
  ])('%s is bad and says where', (text, why) => {
    const read = parseTraceLine(text)
    expect(read.is === 'bad' ? read.why : '').toContain(why)
  })
})

describe('a trace file', () => {
  test('bad lines are counted with their numbers, and the rest is read in order', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'coulisse-trace-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'trace.jsonl')
    const lines = Array.from({ length: 10_000 }, (_, id) =>
      id % 1000 === 999 ? 'rubbish' : JSON.stringify({ ...LINE, recordId: id }),
    )
    await writeFile(path, `${lines.join('\n')}\n\n`)
    const ids: number[] = []
    const bad: number[] = []
    for await (const batch of readTrace(path)) {
      for (const signal of batch.signals) if (signal.is === 'part') ids.push(signal.recordId ?? -1)
      bad.push(...batch.bad.map(({ line }) => line))
    }
    expect(ids).toHaveLength(9990)
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    expect(bad).toEqual([1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000])
  })

  test('a file that is not there is said, not repeated', async () => {
    const reading = readTrace('/nowhere/trace.jsonl').next()
    await expect(reading).rejects.toMatchObject({ name: 'DriverError', retry: 'never' })
  })
})
