import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const SNAPSHOT = fileURLToPath(new URL('../../drivers/snapshot/fixtures/example-snapshot.json', import.meta.url))
let folder = ''
let policy = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coulisse-rehearse-'))
  policy = join(folder, 'policy.json')
  await writeFile(policy, '{"allowRestart":"all","lifted":["reserve-unmet"]}')
})

afterAll(() => rm(folder, { recursive: true }))

/** As a process of its own: threads and the type stripper are part of what is promised. */
async function run(...args: string[]): Promise<{ out: string; err: string; exit: number | null }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'rehearse', ...args])
  const written = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written.err += text
  })
  const exit = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { ...written, exit }
}

describe('rehearse', () => {
  test('gives forecast and events as one JSON object, the same for the same seed, and exits 0', async () => {
    const args = [
      '--snapshot',
      SNAPSHOT,
      '--drain',
      'pve3',
      '--seed',
      '7',
      '--seeds',
      '2',
      '--policy',
      policy,
      '--json',
    ]
    const one = await run(...args)
    expect(one.exit).toBe(0)
    const { forecast, events, simulated, blockers } = JSON.parse(one.out)
    expect({ simulated, blockers }).toEqual({ simulated: true, blockers: [] })
    expect(forecast).toMatchObject({ simulated: true, nights: 2, endings: { done: 2 }, notDone: [] })
    // The bound holds for the plan's model; the twin has speeds of its own, near it.
    const { lowerBoundS } = forecast.plan
    expect(forecast.movesS.median).toBeGreaterThan(lowerBoundS / 2)
    expect(forecast.movesS.median).toBeLessThan(lowerBoundS * 2)
    expect(forecast.longestPauseMs.worst).toBeGreaterThan(0)
    expect(events[0]).toMatchObject({ seq: 1, line: expect.stringContaining('maintenance opened') })
    expect(events.map(({ event }: { event: { kind: string } }) => event.kind)).toContain('maintenance-ended')
    expect((await run(...args)).out).toBe(one.out)
    expect(one.err).toContain('simulated nights played: 2 of 2')
  })

  test('exits 3 with the same blockers as the plan', async () => {
    const { out, exit, err } = await run('--snapshot', SNAPSHOT, '--drain', 'pve3', '--json')
    expect({ exit, err }).toEqual({ exit: 3, err: '' })
    const { blockers, events, forecast } = JSON.parse(out)
    expect(blockers.map(({ kind }: { kind: string }) => kind)).toContain('restart-not-allowed')
    expect({ events, nights: forecast.nights }).toEqual({ events: [], nights: 0 })
  })

  test('every table for people says that it is simulated; the picture has a bar for each bin and the plan’s line', async () => {
    const svg = join(folder, 'spread.svg')
    const { out } = await run(
      '--snapshot',
      SNAPSHOT,
      '--drain',
      'pve3',
      '--seeds',
      '3',
      '--policy',
      policy,
      '--log',
      '--svg',
      svg,
    )
    const titles = out.split('\n').filter((line) => /^(Rehearsal|Spread|Moves|Longest|Log)/.test(line))
    expect(titles).toHaveLength(5)
    for (const title of titles) expect(title).toContain('simulated')
    expect(out).toContain('stage reintegrate begins')
    const picture = await readFile(svg, 'utf8')
    expect(picture.match(/class="bin"/g)?.length).toBeGreaterThan(2)
    expect(picture.match(/class="plan"/g)).toHaveLength(2)
    expect(picture).toContain('simulated')
  })

  test('exits 2 on bad input, one line a fault, nothing on stdout', async () => {
    const cases: readonly (readonly [string[], number])[] = [
      [[], 2],
      [['--snapshot', SNAPSHOT, '--config', 'x.yaml', '--drain', 'pve3', '--seeds', '0', '--faults', 'all'], 3],
      [['--snapshot', SNAPSHOT, '--drain', 'pve9'], 1],
      [['--snapshot', SNAPSHOT, '--drain', 'pve3', '--drain', 'pve4'], 1],
      [['--snapshot', join(folder, 'none.json'), '--drain', 'pve3'], 1],
      [['--config', join(folder, 'none.yaml'), '--drain', 'pve3'], 1],
    ]
    for (const [args, lines] of cases) {
      const { out, err, exit } = await run(...args, '--json')
      expect({ out, exit, args }).toEqual({ out: '', exit: 2, args })
      expect(err.trimEnd().split('\n')).toHaveLength(lines)
    }
  })
})
