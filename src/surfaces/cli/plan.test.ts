import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { addPlanCommands } from './plan.ts'

const SNAPSHOT = fileURLToPath(new URL('../../drivers/snapshot/fixtures/example-snapshot.json', import.meta.url))
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coulisse-plan-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Runs the command in this process: what it wrote, and how it would exit. */
async function run(...args: string[]): Promise<{ out: string; err: string; exit: number }> {
  const written = { out: '', err: '' }
  const keep = (where: 'out' | 'err') => (text: unknown) => {
    written[where] += String(text)
    return true
  }
  const out = vi.spyOn(process.stdout, 'write').mockImplementation(keep('out'))
  const err = vi.spyOn(process.stderr, 'write').mockImplementation(keep('err'))
  const before = process.exitCode
  process.exitCode = 0
  const program = new Command('coulisse')
  addPlanCommands(program)
  await program.parseAsync(args, { from: 'user' })
  const exit = Number(process.exitCode)
  process.exitCode = before
  out.mockRestore()
  err.mockRestore()
  return { ...written, exit }
}

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(content))
  return path
}

describe('plan --svg', () => {
  test('draws one bar a move, within the picture, beside the plan itself', async () => {
    const path = join(folder, 'plan.svg')
    const { out } = await run('plan', '--snapshot', SNAPSHOT, '--drain', 'pve3', '--json', '--svg', path)
    const svg = await readFile(path, 'utf8')
    const { moves } = JSON.parse(out)
    const bars = [...svg.matchAll(/class="move" x="([\d.]+)" y="\d+" width="([\d.]+)"/g)]
    expect(bars).toHaveLength(moves.length)
    const [, width = ''] = /^<svg [^>]*width="(\d+)"/.exec(svg) ?? []
    for (const [, x, wide] of bars) expect(Number(x) + Number(wide)).toBeLessThanOrEqual(Number(width))
    expect(svg.match(/<(rect|text|svg|title)[ >]/g)?.length).toBe(
      svg.match(/<\/(rect|text|svg|title)>|<rect[^>]*\/>/g)?.length,
    )
  })

  test('a file that cannot be written is bad input, and no plan is shown', async () => {
    const { out, err, exit } = await run(
      'plan',
      '--snapshot',
      SNAPSHOT,
      '--drain',
      'pve3',
      '--svg',
      join(folder, 'no', 'plan.svg'),
    )
    expect({ out, exit }).toEqual({ out: '', exit: 2 })
    expect(err).toMatch(/--svg: .* cannot be written \(ENOENT\)/)
  })
})

describe('plan', () => {
  test('exits 3 with the containers as blockers where nobody allowed a restart', async () => {
    const { out, exit, err } = await run('plan', '--snapshot', SNAPSHOT, '--drain', 'pve3', '--json')
    const plan = JSON.parse(out)
    expect({ exit, err }).toEqual({ exit: 3, err: '' })
    expect(plan).toMatchObject({ format: 'coulisse/plan@1', drain: ['pve3'], feasible: false })
    const blocked = plan.blockers.filter(({ kind }: { kind: string }) => kind === 'restart-not-allowed')
    expect(blocked.map(({ guest }: { guest: number }) => guest)).toEqual([125, 126, 128, 135])
  })

  test('exits 0 once restarts are allowed and the reserve is lifted, and check-plan agrees', async () => {
    const policy = await file('policy.json', { allowRestart: 'all', lifted: ['reserve-unmet'] })
    const { out, exit } = await run('plan', '--snapshot', SNAPSHOT, '--drain', 'pve3', '--policy', policy, '--json')
    expect(exit).toBe(0)
    const plan = await file('plan.json', JSON.parse(out))
    const checked = await run('check-plan', '--snapshot', SNAPSHOT, '--plan', plan, '--policy', policy, '--json')
    expect(checked).toEqual({ out: '{"violations":[]}\n', err: '', exit: 0 })
  })

  test('proves with the solver that a drain is impossible, and says what is not proved without', async () => {
    const snapshot = JSON.parse(await readFile(SNAPSHOT, 'utf8'))
    const nodes = snapshot.nodes.map((node: { memoryBytes: number }) => ({
      ...node,
      memoryBytes: Math.round(node.memoryBytes * 0.75),
    }))
    const tight = await file('tight.json', { ...snapshot, nodes, policy: { allowRestart: 'all', reserveNodes: 0 } })
    const asked = await run('plan', '--snapshot', tight, '--drain', 'pve3', '--json')
    const alone = await run('plan', '--snapshot', tight, '--drain', 'pve3', '--json', '--no-solver')
    expect([asked.exit, alone.exit]).toEqual([3, 3])
    const [plan, own] = [JSON.parse(asked.out), JSON.parse(alone.out)]
    expect(plan.proof).toMatchObject({ placement: 'impossible', reasons: 'fewest', solver: 'answered' })
    expect(own.proof.solver).toBe('not-asked')
    expect(plan.blockers).toHaveLength(1)
    expect(plan.blockers[0]).toMatchObject({
      kind: 'memory-short',
      text: expect.stringMatching(/^memory short by [\d.]+ GiB for /),
    })
    expect(plan.moves.length).toBeGreaterThanOrEqual(own.moves.length)
  })

  test('drains two nodes, and shows a table to a person', async () => {
    const { out } = await run('plan', '--snapshot', SNAPSHOT, '--drain', 'pve3', '--drain', 'pve4')
    expect(out).toContain('Drain pve3, pve4')
    expect(out).toMatch(/pve5 +[█▒░·]+ +\d/)
  })

  test('exits 2 on bad input, one line a fault, nothing on stdout', async () => {
    const bad = await file('bad.json', { format: 'coulisse/snapshot@1' })
    const { out, err, exit } = await run('plan', '--snapshot', bad, '--drain', 'pve3', '--json')
    expect({ out, exit }).toEqual({ out: '', exit: 2 })
    expect(err.trimEnd().split('\n')).toHaveLength(4)
    expect(await run('plan', '--snapshot', SNAPSHOT, '--drain', 'pve9', '--json')).toMatchObject({ out: '', exit: 2 })
    expect(await run('plan', '--snapshot', join(folder, 'none.json'), '--drain', 'pve3')).toMatchObject({
      out: '',
      exit: 2,
    })
    expect(await run('plan')).toMatchObject({ out: '', exit: 2 })
  })
})

describe('check-plan', () => {
  test('judges a person’s plan, which holds little more than its moves', async () => {
    const moves = [{ step: 1, guest: 129, from: 'pve3', to: 'pve5', mode: 'live' }]
    const plan = await file('plan.json', { format: 'coulisse/plan@1', drain: ['pve3'], feasible: true, moves })
    const { out, exit } = await run('check-plan', '--snapshot', SNAPSHOT, '--plan', plan, '--json')
    expect(exit).toBe(3)
    const kinds = JSON.parse(out).violations.map(({ kind }: { kind: string }) => kind)
    expect(new Set(kinds)).toEqual(new Set(['pinned', 'node-not-empty']))
  })

  test('a plan of little more than moves and a way home is replayed both ways', async () => {
    const moves = [{ step: 1, guest: 130, from: 'pve3', to: 'pve1', mode: 'live' }]
    const wayHome = [{ guest: 130, from: 'pve2', to: 'pve3', mode: 'live' }]
    const plan = await file('plan.json', { format: 'coulisse/plan@1', drain: ['pve3'], moves, wayHome })
    const { out, exit } = await run('check-plan', '--snapshot', SNAPSHOT, '--plan', plan, '--json')
    expect(exit).toBe(3)
    const violations: { kind: string; text: string }[] = JSON.parse(out).violations
    expect(violations.map(({ kind }) => kind)).toContain('node-not-empty')
    expect(violations.find(({ kind }) => kind === 'wrong-source')?.text).toBe(
      'on the way home: guest 130 is on pve1 then, not on pve2',
    )
  })

  test('exits 2 on a plan that is none', async () => {
    const plan = await file('plan.json', { format: 'coulisse/plan@1', moves: [{}] })
    const { out, err, exit } = await run('check-plan', '--snapshot', SNAPSHOT, '--plan', plan, '--json')
    expect({ out, exit }).toEqual({ out: '', exit: 2 })
    expect(err).toContain('plan $.moves[0].step')
  })
})
