import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from './secret.ts'

test('a secret prints as *** however it is printed, and still gives its text to whoever asks by name', () => {
  const secret = new Secret('horse-battery')
  const printed = [`${secret}`, JSON.stringify({ secret }), inspect({ deep: [secret] }), String(secret)].join(' ')
  expect(printed).not.toContain('horse')
  expect(printed.match(/\*\*\*/g)).toHaveLength(4)
  expect(secret.reveal()).toBe('horse-battery')
})
