import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Sha256 } from '#domain/merkle'
import { BAD_NIGHT, CUSTOMERS, GOOD_NIGHT, rowsOf, type Timed } from '../sample-journal.ts'
import { publicStory } from './decide.ts'
import { publicCard, publicMarkdown, publicThread } from './draft.ts'

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
const LANGUAGES = ['en', 'fr', 'es'] as const
const storyOf = (night: readonly Timed[]) => {
  const story = publicStory(rowsOf(night, sha256), CUSTOMERS)
  if (story === undefined) throw new Error('no story')
  return story
}
const plain = (text: string) => text.replaceAll('\u00a0', ' ').replaceAll('\u202f', ' ')

describe.each(LANGUAGES)('in %s', (language) => {
  const options = { language, hoster: 'Example Hosting', simulated: false }

  test('nobody is named: no customer, no guest, no node, no technician', () => {
    for (const night of [GOOD_NIGHT, BAD_NIGHT]) {
      const story = storyOf(night)
      const all = publicMarkdown(story, options) + publicCard(story, options) + publicThread(story, language).join(' ')
      expect(all).not.toMatch(/acorn|birch|cedar|bouleau|cedro|pve\d|ana ruiz/i)
    }
  })

  test('every post fits, and its length is written beside it', () => {
    for (const night of [GOOD_NIGHT, BAD_NIGHT]) {
      const posts = publicThread(storyOf(night), language)
      expect(posts.length).toBeGreaterThan(1)
      for (const post of posts) {
        expect([...post].length).toBeLessThanOrEqual(280)
        expect(publicMarkdown(storyOf(night), options)).toContain(`(${[...post].length}/280)`)
      }
    }
  })
})

test('a good night says what was measured and what was not', () => {
  const text = plain(
    publicMarkdown(storyOf(GOOD_NIGHT), { language: 'en', hoster: 'Example Hosting', simulated: false }),
  )
  expect(text).toContain('a fan stopped 4 times in 31 h and started again each time')
  expect(text).toContain('The longest pause that the hypervisor measured was 62 ms.')
  expect(text).toContain('Whether the server would have failed, nobody can know.')
})

test('a card without a measurement has words in the place of the figure', () => {
  const story = { ...storyOf(GOOD_NIGHT), longestPause: 'unmeasured' as const, handsOnMs: 'unknown' as const }
  const card = publicCard(story, { language: 'en', hoster: 'A & B <hosting>', simulated: true })
  expect(card.match(/not measured/g)).toHaveLength(2)
  expect(card).toContain('A &amp; B &lt;hosting&gt; (simulated)')
})
