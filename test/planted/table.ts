/** The table of planted bugs in docs: rewritten by each run with UPDATE=1, read by the test that keeps it true. */
import type { PlantedBug } from './bug.ts'
import type { Asked } from './copy.ts'

export type Found = { readonly bug: PlantedBug; readonly asked: Asked; readonly tookS: number }

const HEAD = `# Planted bugs

Do the tests notice anything? Each line below is one fault of one line, planted by \`./coulisse test --planted\` into a copy of the sources,
alone; then the tests are asked, nearest first (beside it, scenarios, conditions, the whole saga, the sweep), until one fails. The
first that did is named. The list is \`test/planted/\`; an entry whose line is gone fails a quick test. A bug that **nobody** noticed stands
here as one, until a test does.
`

/** The table with what was found now; of the others it says what it said. */
export function tableWith(table: string, bugs: readonly PlantedBug[], found: readonly Found[]): string {
  const known = noticedIn(table)
  for (const { bug, asked } of found) known.set(bug.id, whoOf(asked))
  const cells = bugs.map((bug) => ({ bug, by: known.get(bug.id) ?? NOBODY }))
  const rows = cells.map(({ bug, by }) => `| \`${bug.id}\` | \`${bug.file}\` | ${bug.means} | ${by} |`)
  return [
    HEAD,
    `**${cells.filter(({ by }) => by !== NOBODY).length} of ${bugs.length} noticed.**`,
    '',
    '| bug | in | what it would do | noticed by |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

const NOBODY = '**nobody**'

/** By whom each was noticed, as the table says. */
function noticedIn(table: string): Map<string, string> {
  const rows = table.split('\n').flatMap((line) => {
    const [, id, by] = /^\| `([a-z0-9-]+)` \| `[^`]+` \| (?:.*?) \| (.*) \|$/.exec(line) ?? []
    return id === undefined || by === undefined ? [] : [[id, by] as const]
  })
  return new Map(rows)
}

function whoOf(asked: Asked): string {
  switch (asked.is) {
    case 'caught':
      return `\`${asked.file}\`: ${asked.test.replaceAll('|', '\\|')}`
    case 'endless':
      return 'the tests do not end'
    case 'passed':
    case 'broken':
      return NOBODY
  }
}

/** What a run of this reach need not notice: what nobody does, and, near by, what only the far tests do. */
export function mayBeMissed(table: string, id: string, isNear: boolean): boolean {
  const by = noticedIn(table).get(id)
  return by === undefined || by === NOBODY || (isNear && /^`test\/story\/(whole-saga|sweep)/.test(by))
}
