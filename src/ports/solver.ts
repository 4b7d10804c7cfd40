/** An exact solver for mixed-integer linear programs: what it proves, a search of our own cannot. */

export type Column = {
  /** What one unit of it costs; the sum is minimised. */
  readonly cost: number
  readonly lower: number
  readonly upper: number
  readonly isWhole: boolean
}

/** `lower` ≤ Σ factor × column ≤ `upper`. Equal bounds are an equation; infinite ones are left out. */
export type Row = {
  readonly terms: readonly { readonly column: number; readonly factor: number }[]
  readonly lower: number
  readonly upper: number
}

export type Milp = { readonly columns: readonly Column[]; readonly rows: readonly Row[] }

export type SolverAnswer =
  /** Proven: nothing costs less than `bound`, and `values` (one a column) costs `cost`. 'optimal': they are as good as equal. */
  | {
      readonly is: 'optimal' | 'feasible'
      readonly cost: number
      readonly bound: number
      readonly values: readonly number[]
    }
  /** Proven: no values keep every row. */
  | { readonly is: 'infeasible' }
  /** Nothing proven and nothing found: the time was too short, or the solver failed. */
  | { readonly is: 'unanswered'; readonly why: string }

export type Solver = {
  /** Never rejects. Ends within `limitMs` and a little, however hard the problem. */
  solve(problem: Milp, limitMs: number): Promise<SolverAnswer>
}
