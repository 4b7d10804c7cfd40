/** What verification says was proven: nothing that nobody saw. */
import { expect, test } from 'vitest'
import type { Hardware } from '#domain/node'
import { evidenceOf } from './decide.ts'

const SEEN: Hardware = {
  dimms: [{ slot: 'A1', bytes: 2 ** 35 }],
  disks: [{ serial: 'S1', bytes: 2 ** 40 }],
  nics: [{ name: 'eno1', bitsPerSecond: 1e10 }],
  fans: ['FAN1'],
  pcie: [{ slot: '1', width: 8 }],
  pcieCorrectedErrorCount: 0,
  clockSkewMs: 3,
  corosyncLinksDown: [],
  bondsDegraded: [],
  mtuMismatches: [],
  bridges: ['vmbr0'],
  versions: { kernel: '6.8', pve: '9.0', qemu: '10', ceph: '19' },
}

test('all that was seen is said with its figures', () => {
  expect(evidenceOf(SEEN, SEEN, 900, 6)).toEqual([
    'hardware as before: DIMMs 1, disks 1, NICs 1, fans 1',
    '6 fans in band for 15 min',
    'event log clean since the repair',
    'PCIe errors: none new',
    'clock 3 ms off',
  ])
})

test('hardware that an approver let pass is not called as before', () => {
  const [first] = evidenceOf(SEEN, { ...SEEN, dimms: [] }, 900, 6)
  expect(first).toBe(
    'hardware not as before (DIMM A1 32 GiB is missing), let pass by an approver: DIMMs 0, disks 1, NICs 1, fans 1',
  )
})

test('an error count that was not read again after the repair is no proof of no errors', () => {
  const evidence = evidenceOf(SEEN, { ...SEEN, pcieCorrectedErrorCount: 'unknown' }, 900, 6)
  expect(evidence).toContain('PCIe error counts: not seen')
})

test('a BMC that shows no fan proves nothing about fans, whoever lifted that', () => {
  expect(evidenceOf(SEEN, SEEN, 900, 0)).toContain('fans: not seen')
})
