/** `coulisse rehearse`: plays a drain and all that follows on simulated twins of a cluster, and says how far the nights spread. */
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { type Read, readFromCluster, readFromSnapshot } from '#app/rehearsal/read-setting'
import { type Rehearsal, rehearse } from '#app/rehearsal/rehearse'
import { nodeName } from '#domain/ids'
import { rehearsalJson } from './rehearse-json.ts'
import { rehearsalSvg } from './rehearse-svg.ts'
import { renderRehearsal } from './rehearse-text.ts'

const EXIT_BLOCKED = 3
const SEEDS_LIMIT = 10_000

const HELP = `
Builds a simulated twin of the cluster, takes the planner's plan, and plays the whole story on a virtual clock: drain, power-off,
repair, verification, return, reports. Each seed is another night: guests write more or less than when somebody looked, links are
shared with other traffic, shutdowns, boots and hands take their time. Every figure is simulated. Nothing outside is changed;
with --config the live cluster is looked at once, and its twin is played.

Exit: 0 every night was done; 3 blockers, or a night that was not done; 2 bad input.`

type Options = {
  readonly snapshot?: string
  readonly config?: string
  readonly drain: readonly string[]
  readonly policy?: string
  readonly seed: string
  readonly seeds: string
  readonly faults: string
  readonly json?: boolean
  readonly log?: boolean
  readonly svg?: string
}

export function addRehearseCommand(program: Command): void {
  program
    .command('rehearse')
    .description(
      'play a drain, and all that follows, on simulated twins of a cluster; exit 0 done, 3 blocked or not done',
    )
    .option('--snapshot <file>', 'coulisse/snapshot@1')
    .option('--config <file>', 'in its place: the live cluster of this configuration, looked at and not touched')
    .option('--drain <node>', 'the node that goes to repair', (one: string, all: string[]) => [...all, one], [])
    .option('--policy <file>', "policy fields that win over the snapshot's or the configuration's own")
    .option('--seed <n>', 'the first seed', '1')
    .option('--seeds <n>', 'how many nights, one a seed', '20')
    .option('--faults <which>', 'none; typical: what goes wrong now and then, by chance', 'none')
    .option('--log', 'print the log of the first night too')
    .option('--svg <file>', 'the spread as a picture, besides')
    .option('--json', 'forecast and event log as one JSON object')
    .addHelpText('after', HELP)
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { drain, seed, seeds, faults } = checked(options)
  const read = await readSetting(options, drain)
  const progress = progressOf(seeds)
  const rehearsal = await rehearse({
    snapshot: read.snapshot,
    node: nodeName(drain),
    seed,
    seeds,
    faults,
    ...(read.policy === undefined ? {} : { policy: read.policy }),
    onProgress: progress.show,
  })
  progress.end()
  const told = { rehearsal, faults, assumptions: read.assumptions, cluster: read.snapshot.cluster }
  if (options.svg !== undefined) await writeSvg(options.svg, rehearsal)
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify(rehearsalJson(told))}\n`
      : renderRehearsal(told, { withLog: options.log === true }),
  )
  process.exitCode = rehearsal.blockers.length > 0 || rehearsal.notDone.length > 0 ? EXIT_BLOCKED : 0
}

/** Throws BadInput with every fault of the options themselves. */
function checked({ snapshot, config, drain, seed, seeds, faults }: Options) {
  const wrong: string[] = []
  if ((snapshot === undefined) === (config === undefined)) wrong.push('rehearse: name one of --snapshot and --config')
  const [node, another] = [...new Set(drain)]
  if (node === undefined) wrong.push('--drain: name the node')
  if (another !== undefined) wrong.push('--drain: one node; a maintenance takes one out at a time')
  if (!/^\d{1,9}$/.test(seed)) wrong.push(`--seed: a whole number from 0, not "${seed}"`)
  if (!/^[1-9]\d{0,4}$/.test(seeds) || Number(seeds) > SEEDS_LIMIT)
    wrong.push(`--seeds: a whole number from 1 to ${SEEDS_LIMIT}, not "${seeds}"`)
  if (faults !== 'none' && faults !== 'typical') wrong.push(`--faults: none or typical, not "${faults}"`)
  if (wrong.length > 0) throw new BadInput(wrong)
  return {
    drain: node ?? '',
    seed: Number(seed),
    seeds: Number(seeds),
    faults: faults === 'typical' ? ('typical' as const) : ('none' as const),
  }
}

function readSetting({ snapshot, config, policy }: Options, drain: string): Promise<Read> {
  const more = { drain, ...(policy === undefined ? {} : { policy }) }
  if (config !== undefined) return readFromCluster({ config, ...more })
  return readFromSnapshot({ snapshot: snapshot ?? '', ...more })
}

/** On stderr; a terminal sees one line that counts, a file only every tenth part. */
function progressOf(seeds: number) {
  const inPlace = process.stderr.isTTY === true
  const step = Math.max(1, Math.ceil(seeds / 10))
  const text = (count: number) => `simulated nights played: ${count} of ${seeds}`
  return {
    show: (count: number) => {
      if (inPlace) process.stderr.write(`\r${text(count)}`)
      else if (count % step === 0 || count === seeds) process.stderr.write(`${text(count)}\n`)
    },
    end: () => {
      if (inPlace) process.stderr.write('\n')
    },
  }
}

async function writeSvg(path: string, rehearsal: Rehearsal): Promise<void> {
  try {
    await writeFile(path, rehearsalSvg(rehearsal))
  } catch (error) {
    throw new BadInput([`--svg: ${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`])
  }
}
