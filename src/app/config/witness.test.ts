import { expect, test } from 'vitest'
import { probesSchema, targetsOf, witnessesSchema } from './witness.ts'

test('probes are told apart by what they ask, with IPv6 and a default status', () => {
  const probes = probesSchema.parse([
    { guest: 101, icmp: '203.0.113.10' },
    { guest: 101, tcp: '[2001:db8::1]:443' },
    { guest: 102, http: 'https://shop.example/health' },
  ])
  expect(targetsOf(probes).map(({ id, how }) => [id, how])).toEqual([
    ['101 icmp 203.0.113.10', { is: 'icmp', host: '203.0.113.10' }],
    ['101 tcp 2001:db8::1:443', { is: 'tcp', host: '2001:db8::1', port: 443 }],
    ['102 http https://shop.example/health', { is: 'http', url: 'https://shop.example/health', status: 200 }],
  ])
})

test.each([
  [{ guest: 101 }],
  [{ guest: 101, icmp: '-f /etc/passwd' }],
  [{ guest: 101, icmp: '--help' }],
  [{ guest: 101, tcp: 'host' }],
  [{ guest: 101, http: 'file:///etc/passwd' }],
  [{ guest: 101, icmp: 'a', tcp: 'a:1' }],
])('%j is refused', (probe) => {
  expect(probesSchema.safeParse([probe]).success).toBe(false)
})

test('a witness’s key is 64 hex digits', () => {
  expect(witnessesSchema.safeParse({ mad1: { publicKey: 'AB'.repeat(32) } }).success).toBe(false)
  expect(witnessesSchema.safeParse({ mad1: { publicKey: 'ab'.repeat(32) } }).success).toBe(true)
})
