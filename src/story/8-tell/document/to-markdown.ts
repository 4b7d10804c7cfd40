/** A document as Markdown (CommonMark with GitHub's tables): for a ticket, a wiki, a person who edits. */
import type { Block, Cell, Document, Table } from '#domain/document'

export function toMarkdown(document: Document): string {
  const { title, kicker, simulated, sections, footer } = document
  const parts = [
    `# ${escapeMarkdown(title)}`,
    escapeMarkdown(kicker),
    ...(simulated === undefined ? [] : [`> ${escapeMarkdown(simulated.text)}`]),
    ...sections.flatMap(({ heading, blocks }) => [`## ${escapeMarkdown(heading)}`, ...blocks.flatMap(blockLines)]),
    '---',
    ...footer.map(escapeMarkdown),
  ]
  return `${parts.join('\n\n')}\n`
}

function blockLines(block: Block): readonly string[] {
  switch (block.is) {
    case 'text':
      return [escapeMarkdown(block.text)]
    case 'heading':
      return [`### ${escapeMarkdown(block.text)}`]
    case 'list':
      return [block.items.map((item) => `- ${escapeMarkdown(item)}`).join('\n')]
    case 'code':
      return [`${escapeMarkdown(block.label)} \`${block.text.replaceAll('`', '')}\``]
    case 'table':
      return [tableText(block.table)]
    case 'chart':
      return [`### ${escapeMarkdown(block.chart.title)}`, escapeMarkdown(block.chart.alt), tableText(block.chart.twin)]
  }
}

function tableText({ head, groups }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const full = (cells: readonly string[]) => line(head.map((_, at) => cells[at] ?? ''))
  const rows = groups.flatMap(({ heading, rows }) => [
    ...(heading === undefined
      ? []
      : [
          full([
            `**${escapeMarkdown(heading.text)}**${heading.small === undefined ? '' : ` ${escapeMarkdown(heading.small)}`}`,
          ]),
        ]),
    ...rows.map((cells) => full(cells.map(cellText))),
  ])
  return [full(head.map(escapeMarkdown)), line(head.map(() => '---')), ...rows].join('\n')
}

const cellText = ({ text, why, isOver }: Cell) =>
  `${isOver ? `**${escapeMarkdown(text)}**` : escapeMarkdown(text)}${why === undefined ? '' : ` (${escapeMarkdown(why)})`}`

/** Whatever a name holds stays text: no link, no picture, no HTML, one line. */
export const escapeMarkdown = (text: string) =>
  text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\\`*_[\]{}<>|~#!]/g, '\\$&')
