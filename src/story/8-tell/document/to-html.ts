/** A document as a page: standalone HTML without script, light and dark, phone and paper. */
import type { Block, Cell, Document, RowGroup, Section, Table } from '#domain/document'
import { type Html, html, NOTHING, trusted } from './html.ts'
import { PAGE_STYLE } from './page-style.ts'

/** What a page may carry beside the document: links to its other forms, and a form below it. */
export type PageExtras = { readonly links?: Html; readonly below?: Html }

/** Everything from outside is escaped. The same document gives the same bytes. */
export function toHtml(document: Document, extras: PageExtras = {}): string {
  const { language, title, kicker, simulated, sections, footer } = document
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${simulated ? `${simulated.label}: ` : ''}${title}</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
<main>
<header>
<p>${kicker}</p>
<h1>${title}</h1>
${simulated ? html`<p class="simulated" role="note">${simulated.text}</p>` : NOTHING}
</header>
${sections.map(sectionHtml)}
${extras.links ?? NOTHING}${extras.below ?? NOTHING}
</main>
<footer>${footer.map((text) => html`<p>${text}</p>`)}</footer>
</body>
</html>
`.html
}

const sectionHtml = ({ id, heading, blocks, isShort }: Section): Html =>
  html`<section${trusted(isShort ? ' class="short"' : '')} aria-labelledby="${id}">
<h2 id="${id}">${heading}</h2>
${blocks.map(blockHtml)}
</section>
`

function blockHtml(block: Block): Html {
  switch (block.is) {
    case 'text':
      return html`<p>${block.text}</p>
`
    case 'heading':
      return html`<h3>${block.text}</h3>
`
    case 'list':
      return html`<ul>${block.items.map((item) => html`<li>${item}</li>`)}</ul>
`
    case 'code':
      return html`<p>${block.label} <code>${block.text}</code></p>
`
    case 'table':
      return tableHtml(block.table)
    case 'chart':
      return html`<figure class="chart" aria-labelledby="${block.chart.id}">
<figcaption id="${block.chart.id}">${block.chart.title}</figcaption>
<div role="img" aria-label="${block.chart.alt}">${trusted(block.chart.svg)}</div>
${block.chart.legend === undefined ? NOTHING : html`<p class="why">${block.chart.legend}</p>`}
<details><summary>${block.tableLabel}</summary>${tableHtml(block.chart.twin)}</details>
</figure>
`
  }
}

function tableHtml(table: Table): Html {
  const head = table.head.map((text) => html`<th scope="col">${text}</th>`)
  return html`<table>
<thead><tr>${head}</tr></thead>
${table.groups.map((group) => groupHtml(table, group))}</table>
`
}

function groupHtml(table: Table, { heading, rows }: RowGroup): Html {
  const title =
    heading === undefined
      ? NOTHING
      : html`<tr><th colspan="${table.head.length}" scope="rowgroup">${heading.text}${heading.small === undefined ? NOTHING : html` <span>${heading.small}</span>`}</th></tr>
`
  const row = (cells: readonly Cell[]) =>
    html`<tr>${cells.map((cell, at) => cellHtml(cell, table.hasRowHeads === true && at === 0))}</tr>
`
  return html`<tbody>
${title}${rows.map(row)}</tbody>
`
}

function cellHtml(cell: Cell, isHead: boolean): Html {
  const { text, isFigure = false, isOver = false, why, span } = cell
  const figure = isFigure || isOver ? html`<span class="figure${isOver ? ' over' : ''}">${text}</span>` : html`${text}`
  const small = why === undefined ? NOTHING : html`<span class="why">${why}</span>`
  const wide = span === undefined ? NOTHING : html` colspan="${span}"`
  return isHead ? html`<th scope="row"${wide}>${figure}${small}</th>` : html`<td${wide}>${figure}${small}</td>`
}
