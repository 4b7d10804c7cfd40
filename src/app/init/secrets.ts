/** A secret as init gets it: named by a reference, or typed, and then written into a file of its own. */
import { resolve } from 'node:path'
import type { Secret } from '#domain/secret'
import { BadInput } from '../bad-input.ts'
import type { SecretRef } from '../config/secret-schema.ts'
import { secretOf } from '../config/secrets.ts'

/** `file`: the name under which a typed one will lie beside the configuration. */
export type GivenSecret =
  | { readonly is: 'named'; readonly ref: SecretRef; readonly value: Secret }
  | { readonly is: 'typed'; readonly file: string; readonly value: Secret }

/** `file:PATH` or `env:NAME`; never the secret itself, for others see a command line. Throws BadInput. */
export function namedSecret(flag: string, text: string): GivenSecret {
  const [, kind, name = ''] = /^(file|env):(.+)$/.exec(text) ?? []
  if (kind === undefined) throw new BadInput([`${flag}: file:PATH or env:NAME, never the secret itself`])
  const ref: SecretRef = kind === 'file' ? { file: resolve(name) } : { env: name }
  try {
    return { is: 'named', ref, value: secretOf(ref, '.') }
  } catch (error) {
    if (error instanceof BadInput) throw new BadInput(error.faults.map((fault) => `${flag}: ${fault}`))
    throw error
  }
}
