/** Writes a night to files: as a scenario's folder, or as a record that a console replays event by event (docs/night-record.md). */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { renderEvent } from '#domain/render'
import { tellTruth } from '#lab/keeper/truth'
import type { DrawnNight } from './drawn-night.ts'
import type { Breach } from './liveness.ts'
import { type NightOutcome, playDrawn } from './play-drawn.ts'

export const RECORD_FORMAT = 'coulisse/night-record@1'

/** One line of a record: the first says what the night is, then one an event, the last how it ended. */
export type RecordLine =
  | { readonly is: 'night'; readonly format: typeof RECORD_FORMAT; readonly night: DrawnNight }
  | {
      readonly is: 'event'
      readonly atMs: number
      /** The journal's row as it was written. */
      readonly row: unknown
      /** The row as people read it. */
      readonly text: string
      /** The whole truth of the lab's world at this moment, as `GET /world` tells it. */
      readonly world: unknown
    }
  | { readonly is: 'end'; readonly outcome: NightOutcome }

/** Plays the night once more and writes it, one JSON a line. */
export async function recordNight(night: DrawnNight, file: string): Promise<NightOutcome> {
  const lines: RecordLine[] = [{ is: 'night', format: RECORD_FORMAT, night }]
  const { outcome } = await playDrawn(night, (row, lab) => {
    const world = structuredClone(tellTruth(lab.state))
    lines.push({ is: 'event', atMs: row.atMs, row, text: renderEvent(row.event), world })
  })
  lines.push({ is: 'end', outcome })
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  return outcome
}

/** README.md, cluster.json and script; log.expect is written by \`UPDATE=1\` once the night breaks nothing any more. */
export function writeScenario(folder: string, night: DrawnNight, breach: Breach): void {
  const { seed, snapshot, story, storage, startAtMs } = night
  mkdirSync(folder, { recursive: true })
  const readme = `# Night ${seed}\n\nFound by a sweep and made smaller. It broke promise ${breach.promise}: ${breach.text}.\n`
  writeFileSync(join(folder, 'README.md'), readme)
  writeFileSync(
    join(folder, 'cluster.json'),
    `${JSON.stringify({ ...snapshot, seed, story, storage, startAtMs }, null, 1)}\n`,
  )
  writeFileSync(join(folder, 'script'), `${night.parts.flatMap(({ lines }) => lines).join('\n')}\n`)
}
