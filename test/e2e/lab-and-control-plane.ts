/** `lab serve` and `serve` as their users start them, joined by a configuration, on a PostgreSQL of the test's own. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeConfig } from '#app/demo/lab-config'
import type { ReadyLine } from '#app/lab-server'
import { Run } from './coulisse.ts'
import type { Truth } from './demo-run.ts'

export const EXAMPLE = fileURLToPath(
  new URL('../../src/drivers/snapshot/fixtures/example-snapshot.json', import.meta.url),
)
export const DEMO_CLUSTER = fileURLToPath(new URL('../../src/app/demo/cluster.json', import.meta.url))

export type ServedLab = { readonly run: Run; readonly ready: ReadyLine }

export async function serveLab(...args: readonly string[]): Promise<ServedLab> {
  const run = new Run(['lab', 'serve', ...args])
  return { run, ready: await run.firstLine<ReadyLine>('out') }
}

export const truthOf = async (control: string) => (await (await fetch(`${control}/world`)).json()) as Truth

/** Writes a configuration for the lab; `change` rewrites its text. Answers its path. */
export function configFor(
  stateDir: string,
  ready: ReadyLine,
  databaseUrl: string,
  change: (yaml: string) => string = (yaml) => yaml,
): string {
  const path = writeConfig(stateDir, ready, databaseUrl)
  writeFileSync(path, change(readFileSync(path, 'utf8')))
  return path
}

export async function serve(config: string, ready: ReadyLine, env: Readonly<Record<string, string>> = {}) {
  const run = new Run(['serve', '--config', config], { COULISSE_LAB_CONTROL: ready.control, ...env })
  const { url } = await run.firstLine<{ url: string }>('out')
  return { run, url }
}

export async function end(...runs: readonly (Run | undefined)[]): Promise<void> {
  for (const run of runs) run?.kill('SIGTERM')
  await Promise.all(runs.map((run) => run?.ended))
}
