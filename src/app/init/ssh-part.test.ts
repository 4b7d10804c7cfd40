import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { BadInput } from '../bad-input.ts'
import { nodeSteps, parseRights } from './ssh-part.ts'

const folder = mkdtempSync(join(tmpdir(), 'coulisse-node-key-'))
afterAll(() => rmSync(folder, { recursive: true }))
const key = join(folder, 'id')
writeFileSync(`${key}.pub`, `ssh-ed25519 ${'A'.repeat(68)} somebody\n`)

function faultsOf(work: () => unknown): readonly string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof BadInput) return error.faults
  }
  return []
}

test('the steps hold the line with the rights that were asked for, and a copy to every node', () => {
  const rights = parseRights('maintenance-mode, stop-osd')
  const text = nodeSteps(key, { nodes: ['pve1', 'pve2'], rights, from: '10.0.0.5' }).join('\n')
  expect(text).toContain(
    'restrict,from="10.0.0.5",command="/usr/local/sbin/coulisse-node maintenance-mode stop-osd" ssh-ed25519 A',
  )
  expect(text).toContain('root@pve1:/usr/local/sbin/coulisse-node')
  expect(text).toContain('root@pve2:/usr/local/sbin/coulisse-node')
  expect(text).toContain(join(folder, 'known_hosts'))
})

test('no key, a private one, or a right that is none: said, with the way to mend it', () => {
  const asked = { nodes: ['pve1'], rights: parseRights('maintenance-mode') }
  expect(faultsOf(() => nodeSteps(join(folder, 'none'), asked))[0]).toContain('ssh-keygen')
  expect(faultsOf(() => nodeSteps(key, { ...asked, from: 'anywhere"' }))[0]).toContain('no list of addresses')
  expect(faultsOf(() => parseRights('everything'))[0]).toContain('maintenance-mode, stop-osd, ceph')
  const wrong = join(folder, 'wrong')
  writeFileSync(`${wrong}.pub`, '-----BEGIN OPENSSH PRIVATE KEY-----\nhorse\n-----END OPENSSH PRIVATE KEY-----\n')
  const faults = faultsOf(() => nodeSteps(wrong, asked))
  expect(faults[0]).toContain('no public key')
  expect(faults.join()).not.toContain('horse')
})
