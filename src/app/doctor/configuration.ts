/** The configuration beyond its schema: who else can read its secrets, and what it leaves out. */
import { existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Check } from '#domain/check'
import type { Config } from '../config/schema.ts'
import { secretPath, secretsIn } from '../config/secrets.ts'

const OTHERS_READ = 0o004
const OTHERS_WRITE = 0o002
/** Certificates are named like secrets, and are none. */
const PUBLIC: ReadonlySet<string> = new Set(['ca', 'cert', 'clientCa'])
const EVERYWHERE = /^(0\.0\.0\.0|\[::\]|::):/

export function examineConfiguration(config: Config, path: string): readonly Check[] {
  const secrets = secretsIn(config).filter(({ path }) => !PUBLIC.has(String(path.at(-1))))
  const key = config.ssh === undefined ? [] : [resolve(dirname(path), config.ssh.key)].filter(existsSync)
  const files = [...new Set([...secrets.map(({ ref }) => secretPath(ref, dirname(path))), ...key])]
  const found = [
    ...modeChecks(path, OTHERS_WRITE, 'everybody on this machine can change it', 'chmod o-w'),
    ...files.flatMap((file) =>
      file === undefined
        ? []
        : modeChecks(file, OTHERS_READ | OTHERS_WRITE, 'everybody on this machine can read this secret', 'chmod 600'),
    ),
    ...databaseChecks(config),
    ...listenChecks(config),
  ]
  if (found.length > 0) return found
  const text = `read; ${files.length === 0 ? 'no secret in a file' : 'its secrets can be read by their owner alone'}`
  return [{ area: 'configuration', subject: path, outcome: 'fine', text }]
}

function modeChecks(file: string, forbidden: number, text: string, command: string): readonly Check[] {
  const { mode } = statSync(file)
  if ((mode & forbidden) === 0) return []
  const shown = `${text} (mode ${(mode & 0o777).toString(8)})`
  return [{ area: 'configuration', subject: file, outcome: 'dangerous', text: shown, mend: `${command} ${file}` }]
}

function databaseChecks({ database }: Config): readonly Check[] {
  if (typeof database?.url !== 'string' || !hasPassword(database.url)) return []
  return [
    {
      area: 'configuration',
      subject: 'database.url',
      outcome: 'dangerous',
      text: 'the password of the database stands in the configuration itself',
      mend: 'write the address into a file of mode 600, and name it: database: { url: { file: PATH } }',
    },
  ]
}

function hasPassword(url: string): boolean {
  try {
    return new URL(url).password !== ''
  } catch {
    return false
  }
}

function listenChecks({ listen }: Config): readonly Check[] {
  if (!EVERYWHERE.test(listen)) return []
  const text = `${listen} is every address of this machine, and whoever reaches it may approve: there is no sign-in`
  const mend = 'listen: 127.0.0.1:8300, behind a proxy that signs people in'
  return [{ area: 'configuration', subject: 'listen', outcome: 'dangerous', text, mend }]
}
