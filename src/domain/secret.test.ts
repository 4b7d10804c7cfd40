import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { secret } from './secret.ts'

test('a secret shows itself to nobody who does not ask', () => {
  const token = secret('cedar-42')
  const shown = [String(token), `${token}`, JSON.stringify({ token }), inspect({ token }, { showHidden: true })].join(
    ' ',
  )
  expect(shown).not.toContain('cedar-42')
  expect(shown).toContain('***')
  expect(token.reveal()).toBe('cedar-42')
})
