/** `coulisse bench`: runs the programs in bench/, one a benchmark, and collects their figures. */
import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'

const BENCH = fileURLToPath(new URL('../../../bench', import.meta.url))

/** bench/NAME.ts prints a table, or with --json its figures as one JSON object; helpers lie in folders below. */
export async function benchNames(): Promise<readonly string[]> {
  const files = await readdir(BENCH).catch(() => [])
  return files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort()
}

type BenchOptions = { json?: boolean; quick?: boolean; seeds?: string; drains?: string; seed?: string; family?: string }

export function addBenchCommand(program: Command): void {
  program
    .command('bench')
    .description('run the benchmarks, or the one named')
    .argument('[name]', 'a file of bench/, without .ts')
    .option('--json', 'print { NAME: {figures} } and nothing else on stdout')
    .option('--seeds <n>', 'detect: how many, default 20')
    .option('--drains <n>', 'fault-proxy: how many drains, default 100')
    .option('--seed <n>', 'fault-proxy: the first seed, default 1')
    .option('--quick', 'plan: few clusters of each family')
    .option('--family <name>', 'plan: one family alone')
    .action(async (name: string | undefined, { json, quick, family, ...own }: BenchOptions) => {
      const names = await benchNames()
      if (name !== undefined && !names.includes(name)) {
        throw new BadInput([`bench: no benchmark is called ${name}; there are: ${names.join(', ') || 'none'}`])
      }
      const more = Object.entries(own).flatMap(([option, value]) => [`--${option}`, wholeNumber(option, value)])
      if (quick) more.push('--quick')
      if (family !== undefined) more.push('--family', family)
      process.exitCode = await runAll(
        name === undefined ? names : [name],
        json === true,
        name === undefined ? [] : more,
      )
    })
}

function wholeNumber(option: string, value: string): string {
  if (/^[1-9]\d{0,6}$/.test(value)) return value
  throw new BadInput([`bench: --${option} takes a number from 1 on, not "${value}"`])
}

async function runAll(names: readonly string[], asJson: boolean, more: readonly string[]): Promise<number> {
  const figures: Record<string, unknown> = {}
  let worst = 0
  for (const name of names) {
    const { code, text } = await runOne(name, asJson, more)
    worst = Math.max(worst, code)
    if (!asJson) continue
    if (code === 0) figures[name] = JSON.parse(text)
    else process.stderr.write(`bench ${name}: ended with ${code}\n`)
  }
  if (asJson) process.stdout.write(`${JSON.stringify(figures)}\n`)
  return worst
}

function runOne(
  name: string,
  asJson: boolean,
  more: readonly string[],
): Promise<{ readonly code: number; readonly text: string }> {
  const program = join(BENCH, `${name}.ts`)
  const args = ['--disable-warning=ExperimentalWarning', program, ...(asJson ? ['--json'] : []), ...more]
  const child = spawn(process.execPath, args, { stdio: ['ignore', asJson ? 'pipe' : 'inherit', 'inherit'] })
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, text }))
  })
}
