/** What a customer reads, as a value: one builder, and a renderer each for page, PDF, mail and Markdown, so that all say the same. */
import type { Customer } from './customer.ts'

/** A part of a line: a figure stays on one line; `over` marks what was longer than agreed. */
export type Cell = {
  readonly text: string
  readonly isFigure?: boolean
  readonly isOver?: boolean
  /** In smaller letters below: the reason, the resolution, the clock time. */
  readonly why?: string
  /** Columns that it fills; 1 where absent. */
  readonly span?: number
}

/** Rows under one heading, such as the moves of one guest. */
export type RowGroup = {
  readonly heading?: { readonly text: string; readonly small?: string }
  readonly rows: readonly (readonly Cell[])[]
}

export type Table = {
  readonly head: readonly string[]
  readonly groups: readonly RowGroup[]
  /** The first cell of each row names it. */
  readonly hasRowHeads?: boolean
}

/** A picture with its words and its table: nobody needs the picture to know what it shows. */
export type Chart = {
  readonly id: string
  readonly title: string
  /** SVG for a page: colours by style variables. */
  readonly svg: string
  /** The same for paper: colours as they are. */
  readonly paperSvg: string
  readonly alt: string
  /** What colours and heights mean, where lanes do not say it. */
  readonly legend?: string
  readonly twin: Table
}

export type Block =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'list'; readonly items: readonly string[] }
  /** A seal, a key: letters that are compared one by one. */
  | { readonly is: 'code'; readonly label: string; readonly text: string }
  | { readonly is: 'heading'; readonly text: string }
  | { readonly is: 'table'; readonly table: Table }
  | { readonly is: 'chart'; readonly chart: Chart; readonly tableLabel: string }

export type Section = {
  readonly id: string
  readonly heading: string
  readonly blocks: readonly Block[]
  /** The plain words on top stand out. */
  readonly isShort?: boolean
}

export type Document = {
  readonly language: Customer['language']
  readonly title: string
  /** Above the title: the hoster, and for whom. */
  readonly kicker: string
  readonly author: string
  /** Said loudly and first: figures of a laboratory. */
  readonly simulated?: { readonly label: string; readonly text: string }
  readonly sections: readonly Section[]
  readonly footer: readonly string[]
  /** When what it tells was last added to; equal story, equal bytes. */
  readonly atMs: number
}
