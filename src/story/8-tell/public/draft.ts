/** A draft of the public story for a person to edit: Markdown with a short thread, and a card. Nothing is posted by itself. */
import { escapeHtml } from '../document/html.ts'
import { escapeMarkdown } from '../document/to-markdown.ts'
import { type Formats, formatsFor, type Language } from '../formats.ts'
import { partWord } from '../summary.ts'
import type { PublicStory } from './decide.ts'
import { type PublicWords, publicWordsFor } from './words.ts'

type Drafting = { readonly story: PublicStory; readonly words: PublicWords; readonly formats: Formats }
export type DraftOptions = { readonly language: Language; readonly hoster: string; readonly simulated: boolean }

/** What most networks take in one post. */
const POST_LIMIT = 280

const draftingOf = (story: PublicStory, language: Language): Drafting => ({
  story,
  words: publicWordsFor(language),
  formats: formatsFor(language),
})

export function publicMarkdown(story: PublicStory, { language, hoster, simulated }: DraftOptions): string {
  const drafting = draftingOf(story, language)
  const { words, formats } = drafting
  const posts = threadOf(drafting)
  const found = story.found === '' ? [] : [`> ${words.wrote}: ${escapeMarkdown(story.found)}`]
  const parts = [
    `<!-- ${words.draft} -->`,
    `# ${words.title(partWord(story.part))}`,
    `${escapeMarkdown(hoster)}, ${formats.date(story.openedAtMs)}${simulated ? ' (simulated)' : ''}`,
    ...paragraphsOf(drafting).map((sentences) => escapeMarkdown(sentences.join(' '))),
    ...found,
    `*${words.picture}*`,
    `## ${words.thread}`,
    ...posts.map((post, index) => `${index + 1}. ${escapeMarkdown(post)} (${[...post].length}/${POST_LIMIT})`),
  ]
  return `${parts.join('\n\n')}\n`
}

/** Sentences that fill posts in their order; none is longer than a post takes. */
export function publicThread(story: PublicStory, language: Language): readonly string[] {
  return threadOf(draftingOf(story, language))
}

function threadOf(drafting: Drafting): readonly string[] {
  const posts: string[] = []
  for (const sentence of paragraphsOf(drafting).flat()) {
    const last = posts.at(-1)
    const joined = last === undefined ? sentence : `${last} ${sentence}`
    if (last !== undefined && [...joined].length <= POST_LIMIT) posts[posts.length - 1] = joined
    else posts.push(sentence)
  }
  return posts
}

function paragraphsOf({ story, words, formats }: Drafting): readonly (readonly string[])[] {
  const { class: kind, episodes, windowS, handsOnMs, longestPause } = story
  const span = windowS > 0 ? { span: formats.span(windowS * 1000) } : {}
  const pause =
    longestPause === 'unmeasured'
      ? words.pauseUnmeasured
      : words.pause({
          longest: formats.pause(longestPause.blackoutMs),
          unmeasured: story.unmeasuredMoves,
          all: story.liveMoves,
        })
  const wasMoved = story.movedLive + story.restarted > 0
  return [
    [words.saw({ part: partWord(story.part), class: kind, times: episodes, ...span })],
    [
      ...(wasMoved ? [words.moved({ live: story.movedLive, restarted: story.restarted })] : []),
      ...(story.outcome === 'not-reached'
        ? []
        : [words.hands(handsOnMs === 'unknown' ? undefined : formats.span(handsOnMs))]),
      words.outcome[story.outcome],
    ],
    [
      ...(story.liveMoves > 0 ? [pause] : []),
      ...(story.overBudget > 0 ? [words.overBudget(story.overBudget)] : []),
      ...(wasMoved ? [words.home({ home: story.home, all: story.guests })] : []),
      words.doubt,
    ],
  ]
}

const CARD = { width: 1200, height: 630 }

/** An image card of three figures, SVG of 1200 × 630. What was not measured says so in the place of its figure. */
export function publicCard(story: PublicStory, { language, hoster, simulated }: DraftOptions): string {
  const { words, formats } = draftingOf(story, language)
  const { card } = words
  const { longestPause: longest, handsOnMs } = story
  const figures = [
    [formats.number(story.movedLive), card.moved],
    [longest === 'unmeasured' ? card.unmeasured : formats.pause(longest.blackoutMs), card.pause],
    [handsOnMs === 'unknown' ? card.unmeasured : formats.span(handsOnMs), card.hands],
  ] as const
  const column = CARD.width / figures.length
  const shown = figures.map(
    ([figure, what], index) =>
      `<text x="${70 + index * (column - 20)}" y="400" font-size="64" font-weight="700" fill="#ffffff">${escapeHtml(figure)}</text>` +
      `<text x="${70 + index * (column - 20)}" y="450" font-size="28" fill="#bcd9d4">${escapeHtml(what)}</text>`,
  )
  const label = simulated ? `${hoster} (simulated)` : hoster
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${CARD.width}" height="${CARD.height}" viewBox="0 0 ${CARD.width} ${CARD.height}" font-family="DejaVu Sans, Noto Sans, sans-serif">`,
    `<rect width="${CARD.width}" height="${CARD.height}" fill="#10312d"/><rect width="${CARD.width}" height="12" fill="#7fd3c6"/>`,
    `<text x="70" y="150" font-size="${words.title(partWord(story.part)).length > 42 ? 42 : 52}" font-weight="700" fill="#ffffff">${escapeHtml(words.title(partWord(story.part)))}</text>`,
    ...shown,
    `<text x="70" y="570" font-size="28" fill="#7fd3c6">${escapeHtml(label)}, ${escapeHtml(formats.date(story.openedAtMs))}</text>`,
    '</svg>',
  ].join('\n')
}
