import { format, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { secret } from './secret.ts'

test('a secret shows itself to nobody who does not ask', () => {
  const token = secret('cedar-42')
  const ways = [
    String(token),
    `${token}`,
    JSON.stringify({ token }),
    inspect({ token }, { showHidden: true }),
    format('%o %s', token, token),
  ]
  for (const shown of ways) {
    expect(shown).toContain('***')
    expect(shown).not.toContain('cedar-42')
  }
  expect(token.reveal()).toBe('cedar-42')
})
