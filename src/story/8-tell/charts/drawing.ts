/** Pictures of bars over time. On a page their width is the reader's and letters keep their size, so positions are shares of the width. */
import { escapeHtml } from '../document/html.ts'
import type { Formats } from '../formats.ts'

export type Span = { readonly fromMs: number; readonly toMs: number }

/** Where it is shown: page colours follow the reader's scheme, paper has its own and a width in points. */
export type Medium = 'page' | 'paper'

export type Tone = 'ink' | 'soft' | 'line' | 'mark' | 'warn' | 'calm'

const PAPER: Record<Tone, string> = {
  ink: '#1d2426',
  soft: '#4d585c',
  line: '#d9d8d1',
  mark: '#0f5a52',
  warn: '#9a4a00',
  calm: '#bcd9d4',
}
const PAPER_WIDTH = 680
const LETTERS = 12

export type Drawing = {
  readonly bar: (span: Span, at: { readonly y: number; readonly height: number; readonly tone: Tone }) => string
  readonly tick: (atMs: number, at: { readonly y: number; readonly height: number; readonly tone: Tone }) => string
  readonly label: (text: string, y: number, tone?: Tone) => string
  /** Words at a time; they end at it where they would leave the picture. */
  readonly note: (text: string, atMs: number, y: number) => string
  readonly whole: (parts: readonly string[], height: number) => string
}

/** The least width of a bar, as a share: what was short is still seen. */
const LEAST_SHARE = 0.004

export function drawingFor(medium: Medium, span: Span): Drawing {
  const colour = (tone: Tone) => (medium === 'page' ? `var(--${tone})` : PAPER[tone])
  const share = (atMs: number) => clamp((atMs - span.fromMs) / Math.max(1, span.toMs - span.fromMs))
  const x = (part: number) => (medium === 'page' ? `${round(part * 100)}%` : `${round(part * PAPER_WIDTH)}`)
  const text = (words: string, at: { x: string; y: number; anchor: string; tone: Tone }) =>
    `<text x="${at.x}" y="${at.y}" text-anchor="${at.anchor}" fill="${colour(at.tone)}" font-size="${LETTERS}">${escapeHtml(words)}</text>`
  return {
    bar: ({ fromMs, toMs }, { y, height, tone }) => {
      const width = Math.max(LEAST_SHARE, share(toMs) - share(fromMs))
      return `<rect x="${x(Math.min(share(fromMs), 1 - LEAST_SHARE))}" y="${y}" width="${x(width)}" height="${height}" rx="2" fill="${colour(tone)}"/>`
    },
    tick: (atMs, { y, height, tone }) =>
      `<line x1="${x(share(atMs))}" x2="${x(share(atMs))}" y1="${y}" y2="${y + height}" stroke="${colour(tone)}" stroke-width="2"/>`,
    label: (words, y, tone = 'soft') => text(words, { x: '0', y, anchor: 'start', tone }),
    note: (words, atMs, y) => {
      const part = share(atMs)
      const anchor = part < 0.12 ? 'start' : part > 0.88 ? 'end' : 'middle'
      return text(words, { x: x(part), y, anchor, tone: 'soft' })
    },
    whole: (parts, height) => {
      const size =
        medium === 'page'
          ? `width="100%" height="${height}"`
          : `xmlns="http://www.w3.org/2000/svg" width="${PAPER_WIDTH}" height="${height}" viewBox="0 0 ${PAPER_WIDTH} ${height}" font-family="Libertinus Serif"`
      return `<svg ${size} aria-hidden="true">${parts.join('')}</svg>`
    },
  }
}

const AXIS_TICKS = 4
export const AXIS_HEIGHT = 24

/** Times of day below a picture: few enough for a phone. */
export function axis(
  drawing: Drawing,
  span: Span,
  { y, formats }: { readonly y: number; readonly formats: Formats },
): string {
  const step = (span.toMs - span.fromMs) / (AXIS_TICKS - 1)
  return Array.from({ length: AXIS_TICKS }, (_, index) => {
    const atMs = span.fromMs + index * step
    return drawing.tick(atMs, { y, height: 4, tone: 'line' }) + drawing.note(formats.time(atMs), atMs, y + 18)
  }).join('')
}

const clamp = (part: number) => Math.min(1, Math.max(0, part))
const round = (value: number) => Math.round(value * 100) / 100
