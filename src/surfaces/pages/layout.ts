/** What every page has around it: title, style, the banner that says simulated, the way back. */
import { timeText } from '#domain/figures'
import { type Html, html, type Piece, trusted } from './html.ts'
import { STYLE } from './style.ts'

export type Frame = {
  readonly nowMs: number
  /** A simulated cluster is behind: no figure on the page is a real one. */
  readonly simulated: boolean
}

export type PageParts = Omit<Frame, 'nowMs'> & {
  /** Absent where the page shows nothing that ages. */
  readonly nowMs?: number
  readonly title: string
  readonly body: Piece
  /** Seconds; only for pages without a form: a reload forgets what somebody types. */
  readonly refreshS?: number
  /** Reloads the page's live part as the journal grows; the page works without. */
  readonly liveFrom?: string
  readonly links?: readonly { readonly href: string; readonly text: string }[]
}

const SIMULATED = html`<p class="simulated">Simulated: the cluster behind this page is the lab. No figure here is a real one.</p>`

export function page({ title, body, nowMs, simulated, refreshS, liveFrom, links = [] }: PageParts): string {
  const refresh = refreshS !== undefined && html`<noscript><meta http-equiv="refresh" content="${refreshS}"></noscript>`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Coulisse</title>
${refresh}<style>${trusted(STYLE)}</style>
${liveFrom !== undefined && html`<script src="/live.js" defer data-events="${liveFrom}"></script>`}
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header class="top">${simulated && SIMULATED}<div><a class="brand" href="/">Coulisse</a>${links.map(({ href, text }) => html`<a href="${href}">${text}</a>`)}</div></header>
<main id="main">${body}</main>
${nowMs !== undefined && html`<footer>As of ${timeText(nowMs)} UTC${simulated && ', in the lab’s time'}. All times are UTC.</footer>`}
</body>
</html>
`.text
}

export type Tone = 'good' | 'wait' | 'bad' | 'busy' | 'plain'

export const badge = (text: string, tone: Tone): Html => html`<span class="badge ${tone}">${text}</span>`

/** Blockers as people need them: what holds, and what would lift it. */
export const blockerList = (
  blockers: readonly { readonly kind: string; readonly text: string; readonly lifts: string }[],
): Html =>
  html`<ul>${blockers.map(
    ({ kind, text, lifts }) =>
      html`<li><b>${text}</b> <span class="mono small">${kind}</span><br>Lifted by: ${lifts}</li>`,
  )}</ul>`
