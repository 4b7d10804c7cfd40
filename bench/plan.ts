/** The planner on seeded families of clusters, beside the ways of others and an exact solver. `--quick`: few clusters of each; `--family NAME`: one. */
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { HighsSolver } from '#drivers/highs/solver'
import { BASELINES } from './plan/baselines.ts'
import { FAMILIES } from './plan/families.ts'
import { type Figures, figuresOf } from './plan/figures.ts'
import { type Closeness, type MakespanFigures, makespanFiguresOf } from './plan/makespan.ts'

const isQuick = process.argv.includes('--quick')
const asked = process.argv.find((_, at) => process.argv[at - 1] === '--family')
const families = FAMILIES.filter(({ name }) => asked === undefined || name === asked)
if (families.length === 0) {
  process.stderr.write(`--family: none is called ${asked}; there are: ${FAMILIES.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}
const solver = new HighsSolver()
const figures: Record<string, Figures & { readonly makespan: MakespanFigures }> = {}
for (const family of families) {
  const beganMs = performance.now()
  figures[family.name] = {
    ...(await figuresOf(family, isQuick, solver)),
    makespan: await makespanFiguresOf(family, isQuick, solver),
  }
  process.stderr.write(`${family.name}: ${((performance.now() - beganMs) / 1000).toFixed(1)} s\n`)
}
await solver.close()

if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(figures)}\n`)
else printTables()

function printTables(): void {
  console.table(Object.fromEntries(Object.entries(figures).map(([name, one]) => [name, rowOf(one)])))
  console.log('Makespans of feasible drains over what nobody goes below, p50 / p95; how many are within 2 % of it.')
  console.table(Object.fromEntries(Object.entries(figures).map(([name, one]) => [name, makespanRow(one.makespan)])))
  console.log('The same clusters (the first 50 of each) planned by others: rules broken, fullest node.')
  console.table(
    Object.fromEntries(
      Object.entries(figures).map(([name, { baselines, fullestFraction }]) => [
        name,
        {
          ...Object.fromEntries(
            BASELINES.map((way) => [way, `${baselines[way].violations}, ${percent(baselines[way].fullestFraction)}`]),
          ),
          Coulisse: `${figures[name]?.violations}, ${percent(fullestFraction)}`,
        },
      ]),
    ),
  )
}

function rowOf(one: Figures) {
  const { provenImpossible, provenNoWay, notProved } = one.crowded
  return {
    cases: one.cases,
    guests: one.guests,
    feasible: one.feasible,
    violations: one.violations,
    'residents (no need)': `${one.residentsMoved} (${one.residentsWithoutNeed})`,
    'guests stay: impossible / no way / ?': `${provenImpossible} / ${provenNoWay} / ${notProved}`,
    'bettered by HiGHS': one.betteredBySolver,
    'reasons: fewest / more / ?': `${one.reasons.fewest} / ${one.reasons.more} / ${one.reasons.notProved}`,
    'makespan ratio p50 / p95': `${one.makespanRatio.median} / ${one.makespanRatio.p95}`,
    'over budget': one.pausesOverBudget,
    'above best p50 / max': `${one.fractionAboveBest.median} / ${one.fractionAboveBest.largest}`,
    'plan ms p50 / max': `${one.planMs.median.toFixed(1)} / ${one.planMs.longest.toFixed(1)}`,
    'HiGHS ms p50 / max': `${one.solverMs.median.toFixed(1)} / ${one.solverMs.longest.toFixed(1)}`,
  }
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`
}

function makespanRow(one: MakespanFigures) {
  const close = ({ cases, median, p95, within2Percent }: Closeness) =>
    cases === 0 ? '-' : `${median} / ${p95}; ${within2Percent} of ${cases}`
  return {
    'contract and set-ups': `${one.overContract.median} / ${one.overContract.p95}`,
    'certified bound': `${one.overBound.median} / ${one.overBound.p95}`,
    'bound by HiGHS': `${close(one.overSolverBound)}${one.overSolverBound.unanswered > 0 ? `, ${one.overSolverBound.unanswered} unanswered` : ''}`,
    "HiGHS's targets": close(one.overSolverTargets),
    'every order': close(one.overEveryOrder),
    'pauses over budget (avoidable)': `${one.pausesOverBudget} (${one.avoidable})`,
  }
}
