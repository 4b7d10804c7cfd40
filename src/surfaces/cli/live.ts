/** A maintenance in the terminal as it goes: stages, who waits for what, moves, the last lines of the journal. */
import type { JournalRow } from '#domain/event'
import { bytesText, countText, durationText, measuredText, sinceText } from '#domain/figures'
import { renderEvent, renderLogLine } from '#domain/render'
import { copiedFraction, statusOf, waitingIn } from '#domain/status'
import {
  advance,
  endOf,
  homecomingOf,
  longestBlackoutOf,
  longestProbeGapOf,
  type MaintenanceView,
  type MoveView,
  type StageView,
  unmeasuredMoveCountOf,
  viewOf,
} from '#domain/view'
import { cutTo, type Line, plain, type Tone, withColours } from './terminal.ts'

export type LivePicture = {
  readonly view: MaintenanceView
  /** The newest last. */
  readonly rows: readonly JournalRow[]
  /** The story's clock. */
  readonly nowMs: number
  readonly simulated: boolean
}

export type Screen = { readonly width: number; readonly height: number; readonly colours: boolean }

const MOVES_SHOWN = 12
const JOURNAL_LINES_SHOWN = 8
const BAR_WIDTH = 20

/** What fits the screen, one text a line, never wider; the journal's end gives way first where it is low. */
export function renderLive(picture: LivePicture, screen: Screen): readonly string[] {
  const { view } = picture
  const above = [...headLines(picture), ...waitingLines(view), ...moveLines(view), ...figureLines(view)]
  const below = journalLines(picture)
  const journalHeight = Math.max(0, Math.min(below.length, screen.height - above.length))
  const lines = [...above, ...below.slice(below.length - journalHeight)].slice(0, Math.max(1, screen.height))
  return lines.map((line) => {
    const fitted = cutTo(line, screen.width)
    return screen.colours ? withColours(fitted) : plain(fitted)
  })
}

function headLines({ view, nowMs, simulated }: LivePicture): readonly Line[] {
  const { word, tone } = statusOf(view)
  const elapsed = sinceText(view.ended?.atMs ?? nowMs, view.openedAtMs)
  return [
    [
      { text: `${view.node}  `, tone: 'strong' },
      { text: word, tone },
      { text: `  ${elapsed}`, tone: 'dim' },
      ...(simulated ? [{ text: '  simulated', tone: 'wait' } as const] : []),
    ],
    [{ text: view.finding.text, tone: 'dim' }],
    [],
    ...stageLines(view, nowMs),
    [],
  ]
}

const STAGE_CELL_WIDTH = 21

/** Two rows of four, so that eight stages with their times fit 90 columns. */
function stageLines(view: MaintenanceView, nowMs: number): readonly Line[] {
  const cells = view.stages.map((stage) => stageCell(stage, view, nowMs))
  return [cells.slice(0, 4), cells.slice(4)]
}

function stageCell(stage: StageView, view: MaintenanceView, nowMs: number): Line[number] {
  const { state, rounds, beganAtMs } = stage
  const took = beganAtMs === undefined ? '' : ` ${durationText(Math.max(0, (stage.endedAtMs ?? nowMs) - beganAtMs))}`
  const text = `${rounds > 1 ? `${stage.stage} ×${rounds}` : stage.stage}${took}`
  const isHeld = view.gate?.stage === stage.stage || view.paused !== undefined
  const [sign, tone]: readonly [string, Tone] =
    state === 'done' ? ['✓', 'good'] : state === 'ahead' ? ['·', 'dim'] : isHeld ? ['◌', 'wait'] : ['●', 'busy']
  return { text: `${`${sign} ${text}`.padEnd(STAGE_CELL_WIDTH)} `, tone }
}

function waitingLines(view: MaintenanceView): readonly Line[] {
  const safe = view.interlock.is === 'safe'
  const reasons = view.interlock.is === 'safe' ? view.interlock.text : view.interlock.reasons.join('; ')
  const interlock: Line = [
    { text: safe ? 'SAFE to touch: ' : 'NOT safe to touch: ', tone: safe ? 'good' : 'bad' },
    { text: reasons, tone: 'dim' },
  ]
  const waits = waitingIn(view).map(
    ({ text, at }): Line => [{ text: `… ${text}`, tone: at === 'world' ? 'dim' : 'wait' }],
  )
  const end: readonly Line[] =
    view.ended === undefined ? [interlock] : [[{ text: view.ended.text, tone: statusOf(view).tone }]]
  return [...waits, ...end, []]
}

/** Those that move come first, then what failed, what was done last, what is planned. */
function moveLines({ moves, guests }: MaintenanceView): readonly Line[] {
  if (moves.length === 0) return []
  const names = new Map(guests.map(({ vmid, name }) => [vmid, name]))
  const order = { copying: 0, failed: 1, done: 2, planned: 3 } as const
  const sorted = [...moves].sort((a, b) => order[a.state.is] - order[b.state.is] || doneAtMs(b) - doneAtMs(a))
  const shown = sorted.slice(0, MOVES_SHOWN).map((move) => moveLine(move, names.get(move.guest) ?? ''))
  const rest = moves.length - shown.length
  return [
    ...shown,
    ...(rest > 0 ? [[{ text: `  and ${countText(rest, 'more move')}`, tone: 'dim' } as const]] : []),
    [],
  ]
}

const doneAtMs = ({ state }: MoveView) => (state.is === 'done' ? state.atMs : 0)

function moveLine(move: MoveView, name: string): Line {
  const who = `  ${String(move.guest).padEnd(6)}${name.slice(0, 16).padEnd(17)}`
  const way = `${move.from} → ${endOf(move)}`.padEnd(15)
  return [{ text: `${who}${way} ${move.mode.padEnd(8)}`, tone: 'plain' }, stateOf(move)]
}

function stateOf(move: MoveView): Line[number] {
  const { state, mode } = move
  switch (state.is) {
    case 'planned':
      return { text: 'planned', tone: 'dim' }
    case 'copying':
      return { text: copyingText(move, state), tone: 'busy' }
    case 'failed':
      return { text: `✗ ${state.text}`, tone: 'bad' }
    case 'done': {
      const word = mode === 'live' ? 'blackout' : 'downtime'
      return { text: mode === 'offline' ? '✓ was stopped' : `✓ ${word} ${measuredText(state.measured)}`, tone: 'good' }
    }
  }
}

function copyingText(move: MoveView, state: Extract<MoveView['state'], { is: 'copying' }>): string {
  const fraction = copiedFraction(move)
  if (fraction === 'unknown') return 'copying'
  const full = Math.floor(fraction * BAR_WIDTH)
  const percent = `${Math.floor(fraction * 100)} %`.padStart(5)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}${percent}  ${bytesText(state.transferredBytes)} of ${bytesText(state.totalBytes)}`
}

function figureLines(view: MaintenanceView): readonly Line[] {
  const { moved, home } = homecomingOf(view)
  const unmeasured = unmeasuredMoveCountOf(view)
  const gap = longestProbeGapOf(view)
  const blackout = `longest blackout ${measuredText(longestBlackoutOf(view))}${unmeasured > 0 ? ` (${unmeasured} unmeasured)` : ''}`
  const probe =
    gap === 'unmeasured'
      ? 'probe gap unmeasured'
      : `probe gap ${durationText(gap.gapMs)} (one every ${durationText(gap.intervalMs)})`
  const text = [`${countText(moved, 'guest')} moved, ${home} home`, blackout, probe, nooutText(view)].join('  ·  ')
  return [[{ text, tone: view.lease.is === 'expired' ? 'bad' : 'plain' }], []]
}

function nooutText({ noout, lease }: MaintenanceView): string {
  if (lease.is === 'expired') return 'noout lease EXPIRED'
  if (noout.setAtMs === undefined) return 'noout not set'
  return noout.clearedAtMs === undefined ? 'noout set' : 'noout cleared'
}

function journalLines({ view, rows }: LivePicture): readonly Line[] {
  return rows
    .filter(({ event }) => event.kind !== 'guest-copying')
    .slice(-JOURNAL_LINES_SHOWN)
    .map(
      ({ atMs, event }): Line => [
        { text: `${sinceText(atMs, view.openedAtMs)}  `, tone: 'dim' },
        { text: renderEvent(event), tone: 'plain' },
      ],
    )
}

const REPAINT_EVERY_MS = 100
const ROWS_KEPT = 50

export type LiveStream = {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** Paints on a terminal, and writes the journal's lines where there is none. Call `stop`: it leaves the cursor as it was. */
export class LiveView {
  readonly #stream: LiveStream
  readonly #simulated: boolean
  #view: MaintenanceView | undefined
  #rows: readonly JournalRow[] = []
  #nowMs = 0
  #paintedLines = 0
  #timer: NodeJS.Timeout | undefined

  constructor(stream: LiveStream, { simulated }: { readonly simulated: boolean }) {
    this.#stream = stream
    this.#simulated = simulated
  }

  /** Rows in order; those seen before are left out. */
  row(row: JournalRow): void {
    if (row.seq <= (this.#view?.lastSeq ?? 0)) return
    this.#view = this.#view === undefined ? viewOf([row]) : advance(this.#view, row)
    this.#rows = [...this.#rows, row].slice(-ROWS_KEPT)
    this.#nowMs = Math.max(this.#nowMs, row.atMs)
    if (this.#stream.isTTY) this.#paintSoon()
    else if (row.event.kind !== 'guest-copying') {
      this.#stream.write(`${renderLogLine({ row, startMs: this.#view.openedAtMs })}\n`)
    }
  }

  /** The whole journal so far, as somebody who polls has it: tells what is new. */
  show(rows: readonly JournalRow[], nowMs: number): void {
    for (const row of rows.slice(this.#view?.lastSeq ?? 0)) this.row(row)
    this.tick(nowMs)
  }

  /** The story's clock went on without a row: a soak, a wait. */
  tick(nowMs: number): void {
    if (this.#view === undefined) return
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    if (this.#stream.isTTY) this.#paintSoon()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#stream.isTTY || this.#view === undefined) return
    this.#paint()
    this.#stream.write('\x1b[?25h')
    this.#paintedLines = 0
  }

  #paintSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#paint()
    }, REPAINT_EVERY_MS)
  }

  #paint(): void {
    if (this.#view === undefined) return
    const { columns: width = 80, rows = 24 } = this.#stream
    // A line in the last row would scroll the screen under the next repaint.
    const screen = { width: width - 1, height: rows - 2, colours: true }
    const picture = { view: this.#view, rows: this.#rows, nowMs: this.#nowMs, simulated: this.#simulated }
    const lines = renderLive(picture, screen)
    const up = this.#paintedLines > 0 ? `\x1b[${this.#paintedLines}A` : ''
    this.#stream.write(`\x1b[?25l${up}\r\x1b[J${lines.join('\n')}\n`)
    this.#paintedLines = lines.length
  }
}
