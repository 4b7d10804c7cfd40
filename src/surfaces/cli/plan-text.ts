/** A plan as an operator reads it in a terminal: verdict, blockers, nodes before and after, moves, schedule, who stays, the way home. */
import type { Blocker } from '#domain/blocker'
import type { ClusterObservation } from '#domain/cluster'
import { durationText } from '#domain/figures'
import type { Move, Plan, Stay, Violation } from '#domain/plan'
import { ganttLines } from './plan-gantt.ts'
import { clockText, copiedBytes, guestsById, isHot, isOverBudget } from './plan-lanes.ts'
import { nodeLoads } from './plan-loads.ts'
import { cutTo, type Line, plain, type Tone, withColours } from './terminal.ts'

export type Paper = { readonly columns: number; readonly hasColours: boolean }

const GIB = 2 ** 30
const LEAST_COLUMNS = 60
const MOST_COLUMNS = 140

/** Cut to the paper's width but for sentences, which go on in the next line. */
export function renderPlan(plan: Plan, cluster: ClusterObservation, paper: Paper): string {
  const columns = Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, paper.columns))
  const sections: readonly (readonly Line[])[] = [
    verdict(plan, cluster, columns),
    titled('Blockers', blockers(plan.blockers, columns)),
    titled('Nodes', nodes(plan, cluster, columns)),
    titled('Moves', moves(plan, cluster)),
    titled('Schedule', ganttLines(plan, columns)),
    titled('Stay', stays(plan, cluster, columns)),
    titled('Way home', wayHome(plan, columns)),
    titled(
      'Notes',
      plan.notes.flatMap((note) => wrapped(note, columns)),
    ),
  ]
  const lines = sections
    .filter((section) => section.length > 0)
    .flatMap((section, at) => [...(at ? [[]] : []), ...section])
  const write = paper.hasColours ? withColours : plain
  return `${lines.map((line) => write(cutTo(line, columns))).join('\n')}\n`
}

const text = (words: string, tone: Tone = 'plain'): Line => [{ text: words, tone }]

const titled = (title: string, lines: readonly Line[]): readonly Line[] =>
  lines.length === 0 ? [] : [text(title, 'strong'), ...lines]

/** In lines of the paper's width, indented; words are not cut. */
function wrapped(sentence: string, columns: number, { tone = 'plain' as Tone, indent = 2 } = {}): readonly Line[] {
  const lines: string[] = []
  let line = ' '.repeat(indent)
  for (const word of sentence.split(' ')) {
    const isFirst = line.trim() === ''
    if (!isFirst && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = `${' '.repeat(indent + 2)}${word}`
    } else line += isFirst ? word : ` ${word}`
  }
  return [...lines, line].map((one) => text(one, tone))
}

function verdict(plan: Plan, cluster: ClusterObservation, columns: number): readonly Line[] {
  const { feasible, moves: all, makespanS, lowerBoundS } = plan
  const blocked = plan.blockers.length === 0 ? 'nothing stands in the way' : counted(plan.blockers.length, 'blocker')
  const leaves = feasible ? 'every running guest can leave' : 'not every running guest can leave'
  const live = all.filter(({ mode }) => mode === 'live')
  const restarts = all.filter(({ mode }) => mode === 'restart').length
  const longest = live.toSorted((a, b) => b.forecastBlackoutMs - a.forecastBlackoutMs)[0]
  const name = longest && `guest ${longest.guest} (${guestsById(cluster).get(longest.guest)?.name ?? ''})`
  const least = seconds(lowerBoundS)
  const sentences = [
    all.length === 0
      ? 'Nothing is moved.'
      : `${counted(all.length, 'move')}, ${(plan.bytesMoved / GIB).toFixed(1)} GiB, in ${seconds(makespanS)}, ${plan.parallelMigrations} at once.`,
    feasible
      ? `No plan takes less than ${least}${lowerBoundS > 0 && all.length > 0 ? `: this one takes ${(makespanS / lowerBoundS).toFixed(2)} times that` : ''}.`
      : `To empty ${plan.drain.length === 1 ? 'the node' : 'the nodes'} takes ${least} at least; this is the part that can be done.`,
    longest === undefined ? '' : `Longest pause: ${longest.forecastBlackoutMs} ms, ${name}.`,
    restarts === 0 ? '' : `${counted(restarts, 'guest')} restarted.`,
    `Afterwards ${spare(plan.spare.nodesThatMayFail)}.`,
  ]
  const tone: Tone = plan.blockers.length === 0 ? 'good' : 'bad'
  return [
    [{ text: `Drain ${plan.drain.join(', ')}: `, tone: 'strong' }, ...text(`${leaves}; ${blocked}`, tone)],
    ...wrapped(sentences.filter((one) => one !== '').join(' '), columns),
  ]
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const spare = (count: number): string =>
  count === 0 ? 'no further node may fail' : count === 1 ? 'one more node may fail' : `${count} more nodes may fail`

const seconds = (s: number): string => durationText(s * 1000)

/** What lifts several in the same way is said once, for all of them. */
function blockers(all: readonly Blocker[], columns: number): readonly Line[] {
  const alike = Map.groupBy(all, ({ kind, guest, lifts }) => `${kind} ${lifts.replaceAll(String(guest ?? ''), '#')}`)
  return [...alike.values()].flatMap((group) => {
    const guests = group.flatMap(({ guest }) => guest ?? [])
    const [first] = group
    if (first === undefined) return []
    const lifts = guests.length > 1 ? first.lifts.replaceAll(String(guests[0]), guests.join(', ')) : first.lifts
    return [
      ...group.flatMap(({ kind, text: why }) => wrapped(`${kind}: ${why}`, columns, { tone: 'bad' })),
      ...wrapped(`lifted by: ${lifts}`, columns, { indent: 6 }),
    ]
  })
}

const BAR_LEAST = 8
const BAR_MOST = 24
/** What a node's line holds besides its name and its two bars. */
const NODE_TEXT = 47

function nodes(plan: Plan, cluster: ClusterObservation, columns: number): readonly Line[] {
  const { shown, others, othersChange, mostCores } = nodeLoads(plan, cluster)
  const width = Math.max(...shown.map(({ name }) => name.length))
  const cells = Math.min(BAR_MOST, Math.max(BAR_LEAST, Math.floor((columns - width - NODE_TEXT) / 2)))
  const legend = `${''.padEnd(width + 4)}${'memory'.padEnd(cells + 20)}cores allocated, by each core it has`
  return [
    text('  █ stays  ▒ comes  ░ leaves', 'dim'),
    text(legend, 'dim'),
    ...shown.map(({ name, state, was, is }) => [
      ...text(`  ${name.padEnd(width)}  ${bar(was.memory, is.memory, cells)} `),
      ...text(`${percent(was.memory)} → ${percent(is.memory)} %`, is.memory > FULL ? 'wait' : 'plain'),
      ...text(`   ${bar(was.cores / mostCores, is.cores / mostCores, cells)} `),
      ...text(`${was.cores.toFixed(2)} → ${is.cores.toFixed(2)}`),
      ...text(state === '' ? '' : `  ${state}`, 'dim'),
    ]),
    ...(others > 0
      ? [text(`  ${counted(others, 'other node')}: memory changes by ${percent(othersChange).trim()} % at most`, 'dim')]
      : []),
  ]
}

/** Above this part of its memory a node is shown as full. */
const FULL = 0.9

const percent = (fraction: number): string => (fraction * 100).toFixed(1).padStart(5)

function bar(was: number, is: number, cells: number): string {
  const cell = (fraction: number) => Math.min(cells, Math.max(0, Math.round(fraction * cells)))
  const both = Math.min(cell(was), cell(is))
  const more = Math.max(cell(was), cell(is)) - both
  return `${'█'.repeat(both)}${(is > was ? '▒' : '░').repeat(more)}${'·'.repeat(cells - both - more)}`
}

const NAME_LIMIT = 24

function moves(plan: Plan, cluster: ClusterObservation): readonly Line[] {
  const guests = guestsById(cluster)
  const isHop = (purpose: Move['purpose']) =>
    purpose === 'make-room' ? ', makes room' : purpose === 'park' ? ', steps aside' : ''
  const rows = plan.moves.map((move) => {
    const guest = guests.get(move.guest)
    const budget = move.mode === 'live' && guest?.pauseBudgetMs !== undefined ? ` of ${guest.pauseBudgetMs}` : ''
    return {
      move,
      cells: [
        String(move.step),
        `${move.guest} ${guest?.name ?? ''}`.slice(0, NAME_LIMIT),
        `${move.from} → ${move.to}`,
        `${isHot(move, plan) ? 'alone' : move.mode}${isHop(move.purpose)}`,
        (copiedBytes(move, cluster) / GIB).toFixed(1),
        move.mode === 'offline'
          ? ''
          : move.mode === 'restart'
            ? `${seconds(move.forecastBlackoutMs / 1000)} down`
            : `${move.forecastBlackoutMs}${budget} ms`,
        `${clockText(move.startsAtS)} to ${clockText(move.endsAtS)}`,
      ],
      tone: (isOverBudget(move, guest) ? 'bad' : 'plain') as Tone,
    }
  })
  if (rows.length === 0) return []
  const head = ['step', 'guest', '', 'mode', 'GiB', 'pause', 'when']
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map(({ cells }) => [...(cells[at] ?? '')].length)),
  )
  const isRight = (at: number) => at === 0 || at >= 4
  const lineOf = (cells: readonly string[], tone: Tone): Line =>
    text(
      `  ${cells.map((cell, at) => (isRight(at) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0))).join('  ')}`,
      tone,
    )
  return [lineOf(head, 'dim'), ...rows.map(({ cells, tone }) => lineOf(cells, tone))]
}

/** Together where they stay for one reason; who has none of his own stays with a partner. */
function stays({ stays: all, blockers: reasons }: Plan, cluster: ClusterObservation, columns: number): readonly Line[] {
  const names = guestsById(cluster)
  const label = ({ guest }: Stay) => `${guest} ${names.get(guest)?.name ?? ''}`.trim()
  const has = (stay: Stay) => stay.reason === 'stopped' || reasons.some(({ guest }) => guest === stay.guest)
  const partners = (stay: Stay) =>
    cluster.rules
      .filter(({ kind, guests }) => kind === 'keep-together' && guests.includes(stay.guest))
      .flatMap(({ guests }) => guests)
  const words = (stay: Stay) => {
    if (stay.reason === 'stopped') return 'stopped'
    const isTied =
      !has(stay) && all.some((other) => other !== stay && has(other) && partners(stay).includes(other.guest))
    return isTied ? 'kept with partners who stay' : stay.reason
  }
  return [...Map.groupBy(all, words)].flatMap(([why, group]) =>
    wrapped(`${why}: ${group.map(label).join(', ')}`, columns),
  )
}

function wayHome({ wayHome: home }: Plan, columns: number): readonly Line[] {
  return [...Map.groupBy(home, ({ to }) => to)].flatMap(([node, group]) =>
    wrapped(
      `${counted(group.length, 'guest')} back to ${node}, in this order: ${shortened(group.map(({ guest }) => guest))}`,
      columns,
    ),
  )
}

/** Of many, the first and the last; all of them are in the plan's JSON. */
const LISTED = 16

const shortened = (guests: readonly number[]): string =>
  guests.length <= LISTED ? guests.join(', ') : `${guests.slice(0, LISTED / 2).join(', ')}, …, ${guests.at(-1)}`

export function renderViolations(violations: readonly Violation[]): string {
  if (violations.length === 0) return 'The plan keeps every rule at every moment.\n'
  const lines = violations.map(
    ({ kind, atStep, text: why }) => `${atStep === undefined ? '' : `step ${atStep}: `}${kind}: ${why}`,
  )
  return `${lines.join('\n')}\n`
}
