import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { BadInput } from '../bad-input.ts'
import { nodeKeySteps } from './node-key.ts'

const folder = mkdtempSync(join(tmpdir(), 'coulisse-node-key-'))
afterAll(() => rmSync(folder, { recursive: true }))
const publicKey = join(folder, 'id.pub')
writeFileSync(publicKey, `ssh-ed25519 ${'A'.repeat(68)} somebody\n`)

function faultsOf(work: () => unknown): readonly string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof BadInput) return error.faults
  }
  return []
}

test('the steps hold the line with the rights that were asked for, and a copy to every node', () => {
  const steps = nodeKeySteps({
    publicKey,
    rights: 'maintenance-mode, stop-osd',
    from: '10.0.0.5',
    nodes: ['pve1', 'pve2'],
  })
  const text = steps.join('\n')
  expect(text).toContain(
    'restrict,from="10.0.0.5",command="/usr/local/sbin/coulisse-node maintenance-mode stop-osd" ssh-ed25519 A',
  )
  expect(text).toContain('root@pve1:/usr/local/sbin/coulisse-node')
  expect(text).toContain('root@pve2:/usr/local/sbin/coulisse-node')
  expect(text).toContain(join(folder, 'known_hosts'))
})

test('no key, a private one, or a right that is none: said, with the way to mend it', () => {
  const key = { publicKey, rights: 'maintenance-mode', nodes: ['pve1'] }
  expect(faultsOf(() => nodeKeySteps({ ...key, publicKey: join(folder, 'none.pub') }))[0]).toContain('ssh-keygen')
  expect(faultsOf(() => nodeKeySteps({ ...key, rights: 'everything' }))[0]).toContain(
    'maintenance-mode, stop-osd, ceph',
  )
  const secret = join(folder, 'id')
  writeFileSync(secret, '-----BEGIN OPENSSH PRIVATE KEY-----\nhorse\n-----END OPENSSH PRIVATE KEY-----\n')
  const faults = faultsOf(() => nodeKeySteps({ ...key, publicKey: secret }))
  expect(faults[0]).toContain('no public key')
  expect(faults.join()).not.toContain('horse')
})
