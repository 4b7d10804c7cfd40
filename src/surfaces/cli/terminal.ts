/** Lines of coloured pieces for a terminal: cut to the width before they are coloured, so that no colour is cut in two. */

export type Tone = 'plain' | 'strong' | 'dim' | 'good' | 'wait' | 'bad' | 'busy'

export type Line = readonly { readonly text: string; readonly tone: Tone }[]

const CODES: Readonly<Record<Tone, string>> = {
  plain: '',
  strong: '\x1b[1m',
  dim: '\x1b[2m',
  good: '\x1b[32m',
  wait: '\x1b[33m',
  bad: '\x1b[31m',
  busy: '\x1b[36m',
}

/** Text from outside may hold control characters: a guest's name must not move the cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it looks for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g

/** At most `width` characters, with an ellipsis where something was cut. */
export function cutTo(line: Line, width: number): Line {
  const clean = line.map(({ text, tone }) => ({ text: text.replace(CONTROLS, ' '), tone }))
  const total = clean.reduce((sum, { text }) => sum + [...text].length, 0)
  if (total <= width) return clean
  let left = Math.max(0, width - 1)
  const cut = clean.flatMap(({ text, tone }) => {
    const kept = [...text].slice(0, left).join('')
    left -= [...kept].length
    return kept === '' ? [] : [{ text: kept, tone }]
  })
  return width < 1 ? [] : [...cut, { text: '…', tone: 'dim' }]
}

export const plain = (line: Line) =>
  line
    .map(({ text }) => text)
    .join('')
    .trimEnd()

export const withColours = (line: Line) =>
  line.map(({ text, tone }) => (CODES[tone] === '' ? text : `${CODES[tone]}${text}\x1b[0m`)).join('')
