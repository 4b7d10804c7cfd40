/** The doctor's findings as a table for a terminal: area, what was looked at, how it is, and the command that mends it. */
import type { Check, CheckOutcome } from '#domain/check'
import { type Line, plain, type Tone, withColours } from './terminal.ts'

const TONES: Readonly<Record<CheckOutcome, Tone>> = { fine: 'good', missing: 'wait', dangerous: 'bad' }
const OUTCOME_WIDTH = 'dangerous'.length
const NARROWEST = 60

/** @param width the terminal's; long sentences are broken at it, commands are not: they are there to be copied. */
export function tableOf(checks: readonly Check[], width: number, coloured: boolean): string {
  const areaWidth = Math.max(...checks.map(({ area }) => area.length), 0)
  const lines = checks.flatMap((check) => linesOf(check, areaWidth, Math.max(width, NARROWEST)))
  return [...lines, [], summaryOf(checks)].map((line) => `${coloured ? withColours(line) : plain(line)}\n`).join('')
}

function linesOf(check: Check, areaWidth: number, width: number): readonly Line[] {
  const { area, subject, outcome, text, stages = [], mend } = check
  const indent = ' '.repeat(OUTCOME_WIDTH + 2 + areaWidth + 2)
  const stops = outcome === 'fine' || stages.length === 0 ? '' : ` [${stagesText(stages)}]`
  const [first = '', ...rest] = wrapped(clean(`${subject}: ${text}${stops}`), width - indent.length)
  const head: Line = [
    { text: outcome.padEnd(OUTCOME_WIDTH + 2), tone: TONES[outcome] },
    { text: area.padEnd(areaWidth + 2), tone: 'dim' },
    { text: first, tone: 'plain' },
  ]
  return [
    head,
    ...rest.map((one): Line => [{ text: `${indent}${one}`, tone: 'plain' }]),
    ...(mend === undefined
      ? []
      : clean(mend)
          .split('\n')
          .map((one): Line => [{ text: `${indent}> ${one}`, tone: 'strong' }])),
  ]
}

const stagesText = (stages: NonNullable<Check['stages']>) =>
  stages.length === 8 ? 'every stage' : `${stages.length === 1 ? 'stage' : 'stages'} ${stages.join(', ')}`

/** Texts come from other machines' answers too. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it looks for
const clean = (text: string) => text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ')

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

function summaryOf(checks: readonly Check[]): Line {
  const count = (outcome: CheckOutcome) => checks.filter((check) => check.outcome === outcome).length
  const parts = (['fine', 'missing', 'dangerous'] as const).map((outcome) => `${count(outcome)} ${outcome}`)
  return [{ text: parts.join(', '), tone: TONES[worstOf(checks)] }]
}

export function worstOf(checks: readonly Check[]): CheckOutcome {
  for (const outcome of ['dangerous', 'missing'] as const) {
    if (checks.some((check) => check.outcome === outcome)) return outcome
  }
  return 'fine'
}
