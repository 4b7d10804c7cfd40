/** The journal's roots for everybody: a page and an Atom feed, a root a day, so that the journal cannot be written anew later. */
import type { Roots, SignedHead } from '#domain/tree-head'
import { html, trusted } from './html.ts'
import { STYLE } from './style.ts'

const DAYS_SHOWN = 60

/** The last head of each day, newest first. */
function dailyHeads({ heads }: Roots): readonly SignedHead[] {
  return [...Map.groupBy(heads, ({ day }) => day).values()].flatMap((ofDay) => ofDay.at(-1) ?? []).toReversed()
}

const timeOf = ({ atMs }: SignedHead) => new Date(atMs).toISOString()

export function rootsPage(roots: Roots): string {
  const rows = dailyHeads(roots).slice(0, DAYS_SHOWN)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${roots.hoster}: roots of the maintenance journal</title>
<link rel="alternate" type="application/atom+xml" href="/public/roots.atom" title="Roots of the maintenance journal">
<style>${trusted(STYLE)}</style>
</head>
<body>
<main id="main">
<h1>Roots of the maintenance journal</h1>
${roots.simulated && html`<p class="simulated">Simulated: the cluster behind this page is the lab.</p>`}
<p>${roots.hoster} writes down every act of a maintenance before it is done. Each root below seals every entry until then, and each later root is proven to extend it. Keep one: with it, <code>coulisse verify BUNDLE.json --root roots.json</code> shows whether the journal was written anew since.</p>
<p><a href="/public/roots.json">All roots, keys and proofs as JSON</a> · <a href="/public/roots.atom">Feed</a></p>
<table>
<caption>The last root of each day</caption>
<thead><tr><th scope="col">Day (UTC)</th><th scope="col">Entries</th><th scope="col">Root (SHA-256)</th></tr></thead>
<tbody>${rows.map(({ day, size, root }) => html`<tr><th scope="row">${day}</th><td>${size}</td><td><code>${root}</code></td></tr>`)}</tbody>
</table>
<h2>Keys</h2>
<ul>${roots.keys.map(({ id, publicKey, sinceMs }) => html`<li><code>${id}</code>, since ${new Date(sinceMs).toISOString().slice(0, 10)}, Ed25519: <code>${publicKey}</code></li>`)}</ul>
</main>
</body>
</html>
`.text
}

export function rootsFeed(roots: Roots): string {
  const heads = dailyHeads(roots).slice(0, DAYS_SHOWN)
  const journal = roots.keys[0]?.id ?? 'none'
  const [newest] = heads
  const idOf = (name: string) => `tag:coulisse,2026:${journal}/${name}`
  const mark = roots.simulated ? ' (simulated)' : ''
  return html`${trusted('<?xml version="1.0" encoding="utf-8"?>')}
<feed xmlns="http://www.w3.org/2005/Atom">
<id>${idOf('roots')}</id>
<title>${roots.hoster}: roots of the maintenance journal${mark}</title>
<author><name>${roots.hoster}</name></author>
<updated>${newest === undefined ? '1970-01-01T00:00:00.000Z' : timeOf(newest)}</updated>
${heads.map(
  (head) => html`<entry>
<id>${idOf(`roots/${head.number}`)}</id>
<title>${head.day}: ${head.size} entries</title>
<updated>${timeOf(head)}</updated>
<content type="text">root ${head.root} signature ${head.signature} key ${head.key}</content>
</entry>
`,
)}</feed>
`.text
}
