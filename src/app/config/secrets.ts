/** Secrets come from a file or the environment, never from the configuration itself. */
import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { Secret } from '#domain/secret'
import { BadInput } from '../bad-input.ts'
import type { Config } from './schema.ts'
import type { SecretRef } from './secret-schema.ts'

/** Relative files lie beside the configuration. Throws BadInput where there is nothing to read. */
export function secretOf(ref: SecretRef, baseDir: string): Secret {
  if ('env' in ref) {
    const value = process.env[ref.env]
    if (value === undefined || value === '') throw new BadInput([`the environment variable ${ref.env} is not set`])
    return new Secret(value)
  }
  const path = secretPath(ref, baseDir) ?? ''
  try {
    return new Secret(readFileSync(path, 'utf8').trim())
  } catch {
    throw new BadInput([`the secret file ${path} cannot be read`])
  }
}

/** Undefined where it comes from the environment. */
export function secretPath(ref: SecretRef, baseDir: string): string | undefined {
  if ('env' in ref) return undefined
  return isAbsolute(ref.file) ? ref.file : resolve(baseDir, ref.file)
}

/** The database: as configured, else DATABASE_URL's, else our own embedded one. */
export function databaseUrlOf(config: Config, configPath: string): Secret | undefined {
  const named = config.database?.url
  if (typeof named === 'string') return new Secret(named)
  if (named !== undefined) return secretOf(named, dirname(configPath))
  const { DATABASE_URL } = process.env
  return DATABASE_URL === undefined || DATABASE_URL === '' ? undefined : new Secret(DATABASE_URL)
}

export type PlacedSecret = { readonly path: readonly (string | number)[]; readonly ref: SecretRef }

/** Every secret that a configuration refers to, with where it does: whatever has the shape of a reference is one. */
export function secretsIn(value: unknown, path: readonly (string | number)[] = []): readonly PlacedSecret[] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap((one, index) => secretsIn(one, [...path, index]))
  if (isSecretRef(value)) return [{ path, ref: value }]
  return Object.entries(value).flatMap(([key, one]) => secretsIn(one, [...path, key]))
}

function isSecretRef(value: object): value is SecretRef {
  const [only, ...more] = Object.entries(value)
  return (
    only !== undefined && more.length === 0 && (only[0] === 'env' || only[0] === 'file') && typeof only[1] === 'string'
  )
}
