/** Reads a recorded night, line by line, as `sweep --record` wrote it. */
import { readFileSync } from 'node:fs'
import { BadInput } from '../bad-input.ts'
import { RECORD_FORMAT, type RecordLine } from './write-night.ts'

/** Throws BadInput for what is no record of this version. */
export function readRecord(file: string): readonly RecordLine[] {
  let lines: readonly RecordLine[]
  try {
    lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as RecordLine)
  } catch (error) {
    throw new BadInput([`${file}: ${error instanceof Error ? error.message : error}`])
  }
  const [head] = lines
  if (head?.is !== 'night' || head.format !== RECORD_FORMAT)
    throw new BadInput([`${file}: line 1: a record begins with {"is":"night","format":"${RECORD_FORMAT}"}`])
  return lines
}
