/** What the demo keeps in its state folder: how often its story was begun, whether it is finished, and how all of it is forgotten. */
import { existsSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { removeEmbeddedPostgres } from '#drivers/postgres/embedded'
import { forgetPid } from './processes.ts'

export const defaultStateDir = (real: boolean) =>
  join(process.env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'coulisse', real ? 'demo-real' : 'demo')

/** Starts of this story before this one. */
export function countStart(stateDir: string): number {
  const path = join(stateDir, 'starts')
  const before = existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) || 0 : 0
  writeFileSync(`${path}.new`, `${before + 1}\n`)
  renameSync(`${path}.new`, path)
  return before
}

/** The next start begins a new story. */
export function markFinished(stateDir: string): void {
  writeFileSync(join(stateDir, 'finished'), '')
}

export const isFinished = (stateDir: string) => existsSync(join(stateDir, 'finished'))

/** 'finished' goes last: whoever is killed in between, the next start forgets the rest. */
const OURS = [
  'starts',
  'lab',
  'logs',
  'reports',
  'photos',
  'keys',
  'public',
  'secrets',
  'postgres',
  'config.yaml',
  'summary.json',
  'journal.json',
  'finished',
]

/** All that the demo wrote, and nothing else that may lie in the folder. Nothing of it may run any more. */
export async function forgetStory(stateDir: string): Promise<void> {
  await removeEmbeddedPostgres(stateDir)
  forgetPid(stateDir, 'postgres')
  for (const name of OURS) rmSync(join(stateDir, name), { recursive: true, force: true })
}

/** Leaves a folder in which something of somebody else lies. */
export function removeIfEmpty(stateDir: string): void {
  try {
    rmdirSync(stateDir)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT') throw error
  }
}
