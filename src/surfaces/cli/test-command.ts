/** `coulisse test`: everything that CI checks, in the order of what fails fastest. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { lookAtMachine, machineWords } from '#app/real-machine'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const BIN = join(ROOT, 'node_modules', '.bin')

type Check = { readonly name: string; readonly program: string; readonly args: readonly string[] }

const STATIC_CHECKS: readonly Check[] = [
  { name: 'types', program: 'tsc', args: ['--noEmit'] },
  { name: 'types of the pure layers', program: 'tsc', args: ['--noEmit', '-p', 'tsconfig.pure.json'] },
  { name: 'lint and format', program: 'biome', args: ['check', '.'] },
  { name: 'unused code and packages', program: 'knip', args: [] },
]

type Counts = {
  readonly passed: number
  readonly failed: number
  readonly brokenFiles: number
  /** Each by its name, which says why. */
  readonly leftOut: readonly string[]
}

export function addTestCommand(program: Command): void {
  program
    .command('test')
    .description('run everything that CI checks: types, lint, tidiness, tests, scenarios')
    .argument('[filter...]', 'only test files whose path contains one of these; the checks before run all the same')
    .option(
      '--real',
      'only the contracts over real daemons (Ceph, IPMI BMCs, sshd, Prometheus, QEMU guests), one file at a time (Debian, root)',
    )
    .option('--chaos', 'only the nightly set: everything dies, repeats itself and is refused, at every moment')
    .option('--planted', 'only the planted bugs: does some test notice each? (half an hour; filters are their names)')
    .option('--sample <N>', 'with --planted: only so many, drawn by the seed')
    .option('--near', 'with --planted: without the tests that take minutes')
    .option('--seed <N>', 'with --chaos or --planted: chance', '1')
    .option('--trials <N>', 'with --chaos: at most so many a night in memory, drawn by the seed (default: all)')
    .option('--kills <N>', 'with --chaos: so many times -9 over the wire', '200')
    .option('--only <PART>', 'with --chaos: memory, or wire')
    .option('--trial <NAME>', 'with --chaos: one trial again, as it was named')
    .option('--json', 'with --chaos or --planted: figures as one JSON object')
    .action(async (filters: string[], options: Options) => {
      if (options.planted) {
        process.exitCode = await plantedBugs(filters, options)
        return
      }
      const run = options.chaos ? chaosRun(options) : options.real ? realOnes(filters) : everything(filters)
      process.exitCode = (await run) ? 0 : 1
    })
}

type Options = {
  readonly real?: boolean
  readonly chaos?: boolean
  readonly planted?: boolean
  readonly sample?: string
  readonly near?: boolean
  readonly seed: string
  readonly trials?: string
  readonly trial?: string
  readonly kills: string
  readonly only?: string
  readonly json?: boolean
}

/** Loaded only when it is asked for: it brings the whole lab along. */
async function chaosRun({ seed, trials, trial, kills, only, json = false }: Options): Promise<boolean> {
  const faults = Object.entries({ seed, trials, kills }).flatMap(([name, text]) =>
    text === undefined || /^\d{1,9}$/.test(text) ? [] : [`--${name}: a whole number, not "${text}"`],
  )
  if (only !== undefined && only !== 'memory' && only !== 'wire') faults.push(`--only: memory or wire, not "${only}"`)
  if (faults.length > 0) throw new BadInput(faults)
  const { chaos, replayTrial } = await import('./test-chaos.ts')
  if (trial !== undefined) return replayTrial(trial, json)
  const perNight = trials === undefined ? undefined : Number(trials)
  return chaos({
    json,
    seed: Number(seed),
    perNight,
    kills: Number(kills),
    only: only as 'memory' | 'wire' | undefined,
  })
}

/** Beside the tests, and not a part of us: it plants its bugs in a copy of all sources. */
function plantedBugs(ids: readonly string[], { seed, sample, near = false, json = false }: Options): Promise<number> {
  const faults = Object.entries({ seed, sample }).flatMap(([name, text]) =>
    text === undefined || /^\d{1,9}$/.test(text) ? [] : [`--${name}: a whole number, not "${text}"`],
  )
  if (faults.length > 0) throw new BadInput(faults)
  const chosen = [...ids, '--seed', seed, ...(sample === undefined ? [] : ['--sample', sample])]
  const program = join(ROOT, 'test', 'planted', 'run.ts')
  const args = [
    '--disable-warning=ExperimentalWarning',
    program,
    ...chosen,
    ...(near ? ['--near'] : []),
    ...(json ? ['--json'] : []),
  ]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

async function everything(filters: readonly string[]): Promise<boolean> {
  const failed: string[] = []
  for (const check of STATIC_CHECKS) {
    if ((await run(check)) !== 0) failed.push(check.name)
  }
  return tests(filters, failed)
}

/** What cannot run here leaves itself out and says why; a run in which nothing ran is no good one. */
function realOnes(filters: readonly string[]): Promise<boolean> {
  for (const line of machineWords(lookAtMachine())) process.stdout.write(`${line}\n`)
  process.env.COULISSE_REAL = '1'
  return tests(['--project', 'real', ...filters], [])
}

async function tests(choice: readonly string[], failedBefore: readonly string[]): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'coulisse-test-'))
  try {
    const outputFile = join(folder, 'vitest.json')
    const args = ['run', ...choice, '--reporter=default', '--reporter=json', `--outputFile.json=${outputFile}`]
    const code = await run({ name: 'tests', program: 'vitest', args })
    const counts = await countsIn(outputFile)
    const isGood = code === 0 && counts !== undefined && counts.passed > 0
    const failed = isGood ? failedBefore : [...failedBefore, 'tests']
    sumUp(counts, failed)
    return failed.length === 0
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Inherits the terminal, so that each tool reports as it does by itself. */
function run({ name, program, args }: Check): Promise<number> {
  const startedAtMs = performance.now()
  process.stdout.write(`${name} ...\n`)
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `${BIN}${delimiter}${process.env.PATH ?? ''}` }
    const child = spawn(join(BIN, program), args, { cwd: ROOT, stdio: 'inherit', env })
    const finish = (code: number) => {
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
      process.stdout.write(`${name}: ${code === 0 ? 'good' : 'FAILED'} (${seconds} s)\n`)
      resolve(code)
    }
    child.once('error', (error) => {
      process.stderr.write(`${program}: ${error.message}\n`)
      finish(1)
    })
    child.once('exit', (code) => finish(code ?? 1))
  })
}

type TestFile = {
  readonly name: string
  readonly status: string
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
}

async function countsIn(file: string): Promise<Counts | undefined> {
  try {
    const report = JSON.parse(await readFile(file, 'utf8'))
    const files: readonly TestFile[] = report.testResults
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      // A file that does not even load has no tests to count: it is told apart.
      brokenFiles: files.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0)
        .length,
      leftOut: files.flatMap(({ name, assertionResults }) =>
        assertionResults
          .filter(({ status }) => status !== 'passed' && status !== 'failed')
          .map(({ fullName }) => `${relative(ROOT, name)}: ${fullName.trim()}`),
      ),
    }
  } catch {
    return undefined
  }
}

function sumUp(counts: Counts | undefined, failed: readonly string[]): void {
  const lines = ['']
  if (failed.length > 0) lines.push(`failed: ${failed.join(', ')}`)
  if (counts === undefined) lines.push('the tests did not run to their end: nothing was counted')
  else {
    const { leftOut } = counts
    if (leftOut.length > 0) lines.push(`${leftOut.length} left out:`, ...leftOut.map((one) => `  ${one}`))
    if (counts.brokenFiles > 0) lines.push(`${counts.brokenFiles} test files did not load`)
    lines.push(`${counts.passed} passed, ${counts.failed + counts.brokenFiles} failed`)
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}
