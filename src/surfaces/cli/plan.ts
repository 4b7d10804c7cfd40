/** The commands `plan` and `check-plan`: files in, a plan or a judgement out, no cluster needed. */
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import type { Command } from 'commander'
import { checkFromFiles, planFromFiles } from '#app/plan-files'
import { planSvg } from './plan-svg.ts'
import { type Paper, renderPlan, renderViolations } from './plan-text.ts'

const EXIT_BAD_INPUT = 2
const EXIT_BLOCKED = 3

type PlanOptions = {
  snapshot?: string
  drain: string[]
  policy?: string
  json?: boolean
  svg?: string
  solver: boolean
}
type CheckOptions = { snapshot?: string; plan?: string; policy?: string; json?: boolean }

const gather = (value: string, before: string[]): string[] => [...before, value]

export function addPlanCommands(program: Command): void {
  const plan = program
    .command('plan')
    .description('plan a drain from a snapshot file; exit 0 without blockers, 3 with, 2 on bad input')
    .option('--snapshot <file>', 'coulisse/snapshot@1')
    .option('--drain <node>', 'node to empty; may be repeated', gather, [])
    .option('--policy <file>', "policy fields that win over the snapshot's own")
    .option('--json', 'the plan as coulisse/plan@1')
    .option('--no-solver', 'ask no exact solver: what only it could prove is said to be not proved')
    .option('--svg <file>', 'the schedule as a Gantt chart, besides')
    .addHelpText(
      'after',
      '\nTo play the plan on a simulated twin first: coulisse rehearse --snapshot FILE --drain NODE',
    )
    .action(runPlan)
  const check = program
    .command('check-plan')
    .description('judge a plan file against a snapshot file; exit 0 without violations, 3 with, 2 on bad input')
    .option('--snapshot <file>', 'coulisse/snapshot@1')
    .option('--plan <file>', 'coulisse/plan@1')
    .option('--policy <file>', "policy fields that win over the snapshot's own")
    .option('--json', 'the violations as JSON')
    .action(runCheck)
  for (const command of [plan, check]) {
    command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_BAD_INPUT))
  }
}

async function runPlan({ snapshot, drain, policy, json, svg, solver }: PlanOptions): Promise<void> {
  const missing = [
    ...(snapshot ? [] : ['--snapshot: name a file']),
    ...(drain.length > 0 ? [] : ['--drain: name at least one node']),
  ]
  if (missing.length > 0 || snapshot === undefined) return refuse(missing)
  const result = await planFromFiles({
    snapshotPath: snapshot,
    drain,
    asksSolver: solver,
    ...(policy === undefined ? {} : { policyPath: policy }),
  })
  if (!result.ok) return refuse(result.faults)
  if (svg !== undefined) {
    try {
      await writeFile(svg, planSvg(result.plan, result.cluster))
    } catch (error) {
      return refuse([`--svg: ${svg} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`])
    }
  }
  process.stdout.write(json ? `${result.json}\n` : renderPlan(result.plan, result.cluster, paper()))
  process.exitCode = result.plan.blockers.length > 0 ? EXIT_BLOCKED : 0
}

const COLUMNS_WITHOUT_TERMINAL = 80

/** No colour where nobody sees it, or where somebody asked for none (no-color.org). */
function paper(): Paper {
  const { columns, isTTY } = process.stdout
  const hasColours = isTTY === true && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb'
  return { columns: isTTY ? columns : COLUMNS_WITHOUT_TERMINAL, hasColours }
}

async function runCheck({ snapshot, plan, policy, json }: CheckOptions): Promise<void> {
  const missing = [...(snapshot ? [] : ['--snapshot: name a file']), ...(plan ? [] : ['--plan: name a file'])]
  if (snapshot === undefined || plan === undefined) return refuse(missing)
  const result = await checkFromFiles({
    snapshotPath: snapshot,
    planPath: plan,
    ...(policy === undefined ? {} : { policyPath: policy }),
  })
  if (!result.ok) return refuse(result.faults)
  process.stdout.write(json ? `${result.json}\n` : renderViolations(result.violations))
  process.exitCode = result.violations.length > 0 ? EXIT_BLOCKED : 0
}

function refuse(faults: readonly string[]): void {
  process.stderr.write(`${faults.join('\n')}\n`)
  process.exitCode = EXIT_BAD_INPUT
}
