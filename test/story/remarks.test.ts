import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { smallSnapshot } from '#lab/testing/small-world'
import { remarks } from '../../src/story/2-plan/conditions.ts'

const MINUTE_MS = 60_000

test('a plan says which backups begin soon, and that nobody knows the migration network', () => {
  const { cluster } = smallSnapshot()
  const nowMs = cluster.observedAtMs
  const backupsAhead = [
    { id: 'nightly', atMs: nowMs + 90 * MINUTE_MS },
    { id: 'weekly', atMs: nowMs + 5_000 * MINUTE_MS },
    { id: 'begun', atMs: nowMs - MINUTE_MS },
  ]
  const said = (more: object) =>
    remarks({ cluster: { ...cluster, ...more }, ceph: 'none', node: nodeName('pve3'), nowMs }).join('\n')
  expect(said({ backupsAhead })).toContain('backup job nightly begins in 90 min and locks its guests')
  expect(said({ backupsAhead })).not.toMatch(/weekly|begun/)
  expect(said({ migrationNetworkIsCorosyncLink: 'unknown' })).toContain('is not known')
  expect(said({ migrationNetworkIsCorosyncLink: false })).not.toContain('is not known')
})
