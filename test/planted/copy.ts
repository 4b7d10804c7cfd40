/** A throw-away copy of the sources, and the tests over it. */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PlantedBug } from './bug.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const COPIED = [
  'src',
  'test',
  'contracts',
  'scenarios',
  'bench',
  'coulisse',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'vitest.config.ts',
]

export function copySources(): string {
  const copy = mkdtempSync(join(realpathSync(tmpdir()), 'coulisse-planted-'))
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
  symlinkSync(realpathSync(join(ROOT, 'node_modules')), join(copy, 'node_modules'))
  return copy
}

export const removeCopy = (copy: string): void => rmSync(copy, { recursive: true, force: true })

/** What asks the whole story, nearest first. */
const NEAR_THE_STORY: readonly (readonly string[])[] = [
  ['scenarios/'],
  [
    'test/story/dead-osd',
    'test/story/foreign-flag',
    'test/story/last-moment',
    'test/story/limits',
    'test/story/refusals',
    'test/story/remarks',
    'test/story/unmeasured',
    'test/story/watchdog',
  ],
  ['test/story/conditions'],
]
const FAR: readonly (readonly string[])[] = [['test/story/whole-saga'], ['test/story/sweep']]

const OF_DRIVERS: Readonly<Record<string, readonly string[]>> = {
  proxmox: ['contracts/proxmox', 'contracts/hypervisor-lab'],
  ceph: ['contracts/storage-on-lab'],
  dbos: ['contracts/saga-dbos'],
  postgres: ['contracts/saga-dbos'],
}

/** Parts of paths of test files: first those beside it, then those that play whole nights. */
export function stagesFor({ file, first = [] }: PlantedBug, reach: 'near' | 'far'): readonly (readonly string[])[] {
  const folder = dirname(file)
  const beside = readdirSync(join(ROOT, folder)).some((name) => name.endsWith('.test.ts')) ? [`${folder}/`] : []
  const driver = /^src\/drivers\/([^/]+)\//.exec(file)?.[1]
  const whole = driver === undefined ? [...NEAR_THE_STORY, ...(reach === 'far' ? FAR : [])] : [OF_DRIVERS[driver] ?? []]
  return [first, beside, ...whole].filter((stage) => stage.length > 0)
}

export type Asked =
  | { readonly is: 'passed' }
  | { readonly is: 'caught'; readonly file: string; readonly test: string }
  /** It hangs: that is noticed too. */
  | { readonly is: 'endless' }
  /** A line that is no code at all is no bug. */
  | { readonly is: 'broken'; readonly text: string }

const STAGE_LIMIT_MS = 10 * 60_000

/** 'first': until one fails. */
export async function ask(copy: string, filters: readonly string[], until: 'first' | 'all'): Promise<Asked> {
  const output = join(copy, 'tests.json')
  rmSync(output, { force: true })
  const bail = until === 'first' ? ['--bail=1'] : []
  const args = ['run', '--project', 'quick', ...bail, '--reporter=json', `--outputFile=${output}`, ...filters]
  const code = await runIn(copy, args)
  if (code === 0) return { is: 'passed' }
  if (code === 'endless') return { is: 'endless' }
  return existsSync(output) ? readReport(copy, output) : { is: 'broken', text: `vitest ended with ${code}` }
}

function runIn(copy: string, args: readonly string[]): Promise<number | 'endless'> {
  // With UPDATE=1 the scenarios would write down what the bug does, and call it good.
  const { UPDATE: _, ...env } = process.env
  return new Promise((resolve, reject) => {
    const child = spawn(join(copy, 'node_modules', '.bin', 'vitest'), args, { cwd: copy, stdio: 'ignore', env })
    const limit = setTimeout(() => {
      resolve('endless')
      child.kill('SIGKILL')
    }, STAGE_LIMIT_MS)
    child.once('error', reject)
    child.once('exit', (code) => {
      clearTimeout(limit)
      resolve(code ?? 1)
    })
  })
}

type Report = {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

function readReport(copy: string, output: string): Asked {
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Report
  for (const { name, assertionResults } of testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed')
    if (failed !== undefined) return { is: 'caught', file: relative(copy, name), test: failed.fullName.trim() }
  }
  const unread = testResults.find(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  )
  return { is: 'broken', text: unread === undefined ? 'nobody failed by name' : unread.message.slice(0, 300) }
}
