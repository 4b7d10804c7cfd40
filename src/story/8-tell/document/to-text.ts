/** A document as plain text, for the part of a mail that every reader shows. */
import type { Block, Cell, Document, Table } from '#domain/document'

/** Paragraphs apart by an empty line; tables as lines of their own. */
export function toText({ kicker, title, simulated, sections, footer }: Document): string {
  const parts = [
    kicker,
    title,
    ...(simulated === undefined ? [] : [simulated.text]),
    ...sections.flatMap(({ heading, blocks }) => [heading.toLocaleUpperCase(), ...blocks.flatMap(blockText)]),
    ...footer,
  ]
  return `${parts.join('\n\n')}\n`
}

function blockText(block: Block): readonly string[] {
  switch (block.is) {
    case 'text':
    case 'heading':
      return [block.text]
    case 'list':
      return [block.items.map((item) => `- ${item}`).join('\n')]
    case 'code':
      return [`${block.label} ${block.text}`]
    case 'table':
      return [tableText(block.table)]
    case 'chart':
      return [block.chart.title, block.chart.alt]
  }
}

const tableText = ({ groups }: Table) =>
  groups
    .map(({ heading, rows }) =>
      [
        ...(heading === undefined ? [] : [heading.text]),
        ...rows.map((cells) => `  ${cells.map(cellText).join(', ')}`),
      ].join('\n'),
    )
    .join('\n')

const cellText = ({ text, why }: Cell) => (why === undefined ? text : `${text} (${why})`)
