/** The pictures of one maintenance: what happened when, what the probe saw, how long storage had a copy fewer. Each has a table that says the same. */
import type { Cell, Chart } from '#domain/document'
import { isMoved, type MoveStory } from '../guest-story.ts'
import type { Telling } from '../telling.ts'
import { AXIS_HEIGHT, axis, type Drawing, drawingFor, type Medium, type Span, type Tone } from './drawing.ts'

/** None where nothing was touched: a picture of nothing says nothing. */
export function chartsOf(telling: Telling): readonly Chart[] {
  return [timeline(telling), probePlot(telling), redundancy(telling)].flatMap((chart) =>
    chart === undefined ? [] : [chart],
  )
}

type Lane = { readonly name: string; readonly tone: Tone; readonly spans: readonly Span[] }

const LANE_HEIGHT = 34
const BAR_HEIGHT = 10
const BAR_BELOW_LABEL = 18

function timeline(telling: Telling): Chart | undefined {
  const { story, words } = telling
  const { label } = words
  const moves = (towards: MoveStory['towards']) =>
    story.guests.flatMap((guest) =>
      guest.moves.filter((move) => isMoved(move) && move.towards === towards).flatMap(spanOfMove),
    )
  const repairs = story.repairs.flatMap(({ answeredAtMs, tookMs }) =>
    tookMs === 'unknown' ? [] : [{ fromMs: answeredAtMs - tookMs, toMs: answeredAtMs }],
  )
  const { chart } = label
  const lanes: readonly Lane[] = [
    { name: chart.away, tone: 'mark', spans: moves('away') },
    { name: chart.off, tone: 'soft', spans: closed(story.offSpan ? [story.offSpan] : [], story.lastAtMs) },
    { name: chart.repair, tone: 'warn', spans: repairs },
    { name: chart.home, tone: 'mark', spans: moves('home') },
  ]
  const told = lanes.filter(({ spans }) => spans.length > 0)
  if (told.length === 0) return undefined
  return laneChart(telling, { id: 'chart-timeline', title: chart.timeline, lanes: told })
}

function redundancy(telling: Telling): Chart | undefined {
  const { story, words } = telling
  const { label } = words
  const spans = closed(story.reduced, story.lastAtMs)
  if (spans.length === 0) return undefined
  const span = spanOfStory(telling)
  const whole = wholeBetween(span, spans)
  const lanes: readonly Lane[] = [
    { name: label.chart.whole, tone: 'calm', spans: whole },
    { name: label.chart.reduced, tone: 'warn', spans },
  ]
  return laneChart(telling, { id: 'chart-redundancy', title: label.chart.redundancy, lanes })
}

function laneChart(
  telling: Telling,
  { id, title, lanes }: { readonly id: string; readonly title: string; readonly lanes: readonly Lane[] },
): Chart {
  const { formats, words } = telling
  const { label } = words
  const span = spanOfStory(telling)
  const height = lanes.length * LANE_HEIGHT + AXIS_HEIGHT
  const draw = (medium: Medium) => {
    const drawing = drawingFor(medium, span)
    const rows = lanes.map(({ name, tone, spans }, row) => {
      const y = row * LANE_HEIGHT
      const bars = spans.map((one) => drawing.bar(one, { y: y + BAR_BELOW_LABEL, height: BAR_HEIGHT, tone }))
      return drawing.label(name, y + 12) + bars.join('')
    })
    return drawing.whole([...rows, axis(drawing, span, { y: lanes.length * LANE_HEIGHT, formats })], height)
  }
  const told = lanes.map(
    ({ name, spans }) => `${name}${label.colon}${spans.map((one) => timesOf(telling, one)).join(', ')}`,
  )
  const rows = lanes.flatMap(({ name, spans }) =>
    spans.map((one): readonly Cell[] => [{ text: name }, { text: timesOf(telling, one), isFigure: true }]),
  )
  return {
    id,
    title,
    svg: draw('page'),
    paperSvg: draw('paper'),
    alt: `${title}. ${told.join('. ')}.`,
    twin: { head: [label.chart.what, label.when], hasRowHeads: true, groups: [{ rows }] },
  }
}

const PROBE_ROW = 44
const GAP_HEIGHT_LIMIT = 16
/** A gap of this length is drawn at full height; the scale is logarithmic, for gaps go from milliseconds to minutes. */
const GAP_FULL_MS = 60_000

/** One row a guest: what was watched, where it moved, and its longest gap as high as it was long. */
function probePlot(telling: Telling): Chart | undefined {
  const { story, formats, words } = telling
  const { label } = words
  const measured = story.probe.readings.flatMap((reading) => (reading.is === 'measured' ? [reading] : []))
  if (measured.length === 0) return undefined
  const span = {
    fromMs: Math.min(...measured.map((one) => one.fromMs)),
    toMs: Math.max(...measured.map((one) => one.toMs)),
  }
  const guestOf = (reading: (typeof measured)[number]) => story.guests.find(({ vmid }) => vmid === reading.guest)
  const gapText = ({ lostCount, longestGapMs }: (typeof measured)[number]) =>
    lostCount === 0 ? label.gapNone : formats.pause(longestGapMs)
  const row = (drawing: Drawing, reading: (typeof measured)[number], index: number) => {
    const y = index * PROBE_ROW
    const base = y + PROBE_ROW - 8
    const moves = guestOf(reading)?.moves.filter(isMoved).flatMap(spanOfMove) ?? []
    const gap = { fromMs: reading.longestGapAtMs, toMs: reading.longestGapAtMs + reading.longestGapMs }
    const height = gapHeight(reading.longestGapMs)
    return [
      drawing.label(`${guestOf(reading)?.name ?? reading.guest}${label.colon}${gapText(reading)}`, y + 12),
      ...moves.map((one) => drawing.bar(one, { y: base - GAP_HEIGHT_LIMIT, height: GAP_HEIGHT_LIMIT, tone: 'calm' })),
      drawing.bar(reading, { y: base, height: 3, tone: 'mark' }),
      ...(reading.lostCount === 0 ? [] : [drawing.bar(gap, { y: base - height, height, tone: 'warn' })]),
    ].join('')
  }
  const height = measured.length * PROBE_ROW + AXIS_HEIGHT
  const draw = (medium: Medium) => {
    const drawing = drawingFor(medium, span)
    const rows = measured.map((reading, index) => row(drawing, reading, index))
    return drawing.whole([...rows, axis(drawing, span, { y: measured.length * PROBE_ROW, formats })], height)
  }
  const twin = measured.map((reading): readonly Cell[] => [
    { text: guestOf(reading)?.name ?? String(reading.guest) },
    { text: timesOf(telling, reading), isFigure: true },
    {
      text:
        guestOf(reading)
          ?.moves.filter(isMoved)
          .flatMap(spanOfMove)
          .map((one) => timesOf(telling, one))
          .join(', ') ?? '',
    },
    {
      text: gapText(reading),
      isFigure: true,
      ...(reading.lostCount > 0 && { why: formats.clock(reading.longestGapAtMs) }),
    },
  ])
  const head = [label.guest, label.chart.watched, label.chart.moved, label.gap]
  const told = measured.map((reading) => `${guestOf(reading)?.name ?? reading.guest}${label.colon}${gapText(reading)}`)
  return {
    id: 'chart-probe',
    title: label.chart.probe,
    svg: draw('page'),
    paperSvg: draw('paper'),
    alt: `${label.chart.probe}. ${told.join('. ')}.`,
    legend: label.chart.probeLegend,
    twin: { head, hasRowHeads: true, groups: [{ rows: twin }] },
  }
}

const gapHeight = (gapMs: number) =>
  Math.max(2, Math.round((GAP_HEIGHT_LIMIT * Math.log10(1 + gapMs)) / Math.log10(1 + GAP_FULL_MS)))

const spanOfMove = ({ startedAtMs, endedAtMs }: MoveStory): readonly Span[] =>
  endedAtMs === 'unknown' ? [] : [{ fromMs: startedAtMs === 'unknown' ? endedAtMs : startedAtMs, toMs: endedAtMs }]

const closed = (
  spans: readonly { readonly fromMs: number; readonly toMs?: number }[],
  untilMs: number,
): readonly Span[] => spans.map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs ?? untilMs }))

const spanOfStory = ({ story }: Telling): Span => ({ fromMs: story.openedAtMs, toMs: story.lastAtMs })

function wholeBetween(span: Span, reduced: readonly Span[]): readonly Span[] {
  let fromMs = span.fromMs
  const whole: Span[] = []
  for (const one of reduced) {
    if (one.fromMs > fromMs) whole.push({ fromMs, toMs: one.fromMs })
    fromMs = Math.max(fromMs, one.toMs)
  }
  return fromMs < span.toMs ? [...whole, { fromMs, toMs: span.toMs }] : whole
}

const timesOf = ({ formats }: Telling, { fromMs, toMs }: Span) => `${formats.clock(fromMs)}–${formats.clock(toMs)}`
