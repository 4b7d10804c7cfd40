import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSigningKey } from './signing-key.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coulisse-keys-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('the key is made once, for its owner alone, and is the same ever after', () => {
  const path = join(folder, 'keys', 'journal.pem')
  const first = openSigningKey(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'keys')).mode & 0o777).toBe(0o700)
  const second = openSigningKey(path)
  expect(second.publicKey).toBe(first.publicKey)
  expect(second.sign('a')).toBe(first.sign('a'))
  expect(first.publicKey).toMatch(/^[0-9a-f]{64}$/)
  expect(first.sign('a')).toMatch(/^[0-9a-f]{128}$/)
})

test('a key that others may read is refused, and so is a file that holds none', () => {
  const path = join(folder, 'journal.pem')
  openSigningKey(path)
  chmodSync(path, 0o640)
  expect(() => openSigningKey(path)).toThrow('others may read')
  const bad = join(folder, 'bad.pem')
  writeFileSync(bad, 'nothing', { mode: 0o600 })
  expect(() => openSigningKey(bad)).toThrow(/use the key/)
  expect(readFileSync(bad, 'utf8')).toBe('nothing')
})
