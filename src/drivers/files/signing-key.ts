/** Ed25519 keys in files of their own that only the owner may read; made when there is none. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DriverError } from '#domain/driver-error'

export type SigningKey = {
  /** Raw: 64 hex digits. */
  readonly publicKey: string
  /** 128 hex digits over the text as UTF-8. */
  sign(text: string): string
}

/** The raw key is the end of its DER form: RFC 8410 puts 12 bytes before it. */
const RAW_BYTES = 32

/** DriverError 'never' for a file that others may read, or that holds no such key. */
export function openSigningKey(path: string): SigningKey {
  if (!existsSync(path)) makeKey(path)
  const stat = lstatSync(path)
  if (!stat.isFile() || (stat.mode & 0o077) !== 0)
    throw broken(path, 'others may read or write it: chmod 600 it, or replace the key')
  try {
    const key = createPrivateKey(readFileSync(path))
    if (key.asymmetricKeyType !== 'ed25519')
      throw new Error(`it is a key for ${key.asymmetricKeyType}, not for Ed25519`)
    const der = createPublicKey(key).export({ format: 'der', type: 'spki' })
    return {
      publicKey: der.subarray(-RAW_BYTES).toString('hex'),
      sign: (text) => sign(null, Buffer.from(text), key).toString('hex'),
    }
  } catch (cause) {
    throw broken(path, cause instanceof Error ? cause.message : String(cause))
  }
}

function makeKey(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const { privateKey } = generateKeyPairSync('ed25519')
  try {
    // 'wx': of two processes that start at once one makes it, and both read it.
    writeFileSync(path, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw broken(path, String(error))
  }
}

const broken = (path: string, text: string) => new DriverError('files', `use the key ${path}`, { retry: 'never', text })
