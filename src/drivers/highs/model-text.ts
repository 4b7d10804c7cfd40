/** Writes a problem as CPLEX LP text: columns are x0, x1, …, named in the objective in their own order, which HiGHS keeps. */
import type { Column, Milp, Row } from '#ports/solver'

/** LP readers take long lines badly. */
const TERMS_A_LINE = 20

export function modelText({ columns, rows }: Milp): string {
  const objective = columns.map(({ cost }, column) => ({ column, factor: cost }))
  return [
    'Minimize',
    ` cost: ${termsText(objective)}`,
    'Subject To',
    ...rows.flatMap(rowText),
    'Bounds',
    ...columns.map(boundText),
    ...(columns.some(({ isWhole }) => isWhole) ? ['General', wholeText(columns)] : []),
    'End',
    '',
  ].join('\n')
}

function termsText(terms: Row['terms']): string {
  return terms
    .map(({ column, factor }, index) => {
      const gap = index > 0 && index % TERMS_A_LINE === 0 ? '\n  ' : ' '
      return `${gap}${factor < 0 ? '-' : '+'} ${numberText(Math.abs(factor))} x${column}`
    })
    .join('')
}

function rowText({ terms, lower, upper }: Row, index: number): readonly string[] {
  // Without terms there is nothing to name: an impossible row is said by a column that cannot be.
  const left = terms.length === 0 ? ' + 0 x0' : termsText(terms)
  if (lower === upper) return [` r${index}:${left} = ${numberText(upper)}`]
  return [
    ...(Number.isFinite(upper) ? [` r${index}u:${left} <= ${numberText(upper)}`] : []),
    ...(Number.isFinite(lower) ? [` r${index}l:${left} >= ${numberText(lower)}`] : []),
  ]
}

const boundText = ({ lower, upper }: Column, column: number): string =>
  ` ${numberText(lower)} <= x${column} <= ${numberText(upper)}`

function wholeText(columns: readonly Column[]): string {
  const names = columns.flatMap(({ isWhole }, column) => (isWhole ? [`x${column}`] : []))
  const lines: string[] = []
  for (let from = 0; from < names.length; from += TERMS_A_LINE)
    lines.push(` ${names.slice(from, from + TERMS_A_LINE).join(' ')}`)
  return lines.join('\n')
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  return String(value)
}
