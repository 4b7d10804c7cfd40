/** A fault of one line, as somebody tired might write it; and how it is put into a copy of the sources. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type PlantedBug = {
  /** In a few words, with hyphens. */
  readonly id: string
  readonly file: string
  /** The line as it stands, without what it is indented by; it stands once in its file. */
  readonly old: string
  /** The line in its place. */
  readonly now: string
  /** What it would do to somebody. */
  readonly means: string
  /** Tests to ask before those in the file's own folder: parts of their paths. */
  readonly first?: readonly string[]
}

/** Why this bug cannot be planted any more; empty: it can. The list must follow the code. */
export function faultsOf({ old, now, file }: PlantedBug, text: string): readonly string[] {
  const count = linesLike(text, old).length
  const faults = count === 1 ? [] : [`${file} has ${count} lines like this, not one: ${old}`]
  return old === now ? [...faults, `${file}: nothing is changed by it: ${old}`] : faults
}

/** Answers how to take it out again. */
export function plant(root: string, bug: PlantedBug): () => void {
  const path = join(root, bug.file)
  const text = readFileSync(path, 'utf8')
  const faults = faultsOf(bug, text)
  if (faults.length > 0) throw new Error(faults.join('\n'))
  const lines = text.split('\n')
  const [at = 0] = linesLike(text, bug.old)
  const indent = /^\s*/.exec(lines[at] ?? '')?.[0] ?? ''
  writeFileSync(path, lines.with(at, `${indent}${bug.now}`).join('\n'))
  return () => writeFileSync(path, text)
}

const linesLike = (text: string, wanted: string): readonly number[] =>
  text.split('\n').flatMap((line, index) => (line.trim() === wanted ? [index] : []))
