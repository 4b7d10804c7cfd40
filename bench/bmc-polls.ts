/**
 * How long a watch's round over a fleet takes: every BMC asked once for its log and its sensors, 16 at once. Redfish against the
 * lab's BMCs, each a TLS server of its own, in one process beside ours; IPMI by `ipmitool` against real simulators (`ipmi_sim`),
 * a few of which stand for many. Loopback: what slow BMCs add is told by `slowBmcs`, whose every answer takes 100 ms more.
 * Run: node bench/bmc-polls.ts [--json]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { BMCS_AT_ONCE, bmcPoller } from '#app/poll-bmcs'
import { type NodeName, nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { run } from '#drivers/exec/run'
import { ipmiBmc } from '#drivers/ipmi/ipmi-bmc'
import type { RedfishNode } from '#drivers/redfish/client'
import { redfishBmc } from '#drivers/redfish/redfish-bmc'
import { startRealBmcs } from '#lab/real/bmcs'
import type { Bmc } from '#ports/bmc'
import type { ServedFleet } from './bmc-polls/fleet.ts'

export type PollFigures = {
  readonly bmcs: number
  readonly atOnce: number
  /** Nothing is known of any BMC yet: paths, sensor records, the whole log. */
  readonly firstRoundMs: number
  /** The median of three rounds after it. */
  readonly roundMs: number
  readonly read: number
}

export type BmcPolls = {
  readonly redfish: PollFigures
  readonly slowBmcs: PollFigures
  readonly ipmi: PollFigures | { readonly leftOut: string }
}

const BMCS = 200
const SIMULATORS = 8
const SLOW_MS = 100
const ROUNDS = 3
const FIRST_PORT = 9521
const FANS = ['FAN1', 'FAN2', 'FAN3', 'FAN4', 'FAN5', 'FAN6']

const clock = { nowMs: async () => Date.now(), sleepUntil: async () => undefined }

export async function measureBmcPolls(): Promise<BmcPolls> {
  return { redfish: await overRedfish(0), slowBmcs: await overRedfish(SLOW_MS), ipmi: await overIpmi() }
}

async function rounds(bmc: Bmc, nodes: readonly NodeName[]): Promise<PollFigures> {
  const poller = bmcPoller({ bmc, log: (text) => process.stderr.write(`${text}\n`) })
  let cursors: Record<string, string> = {}
  const times: number[] = []
  let read = 0
  for (let round = 0; round <= ROUNDS; round++) {
    const startedAt = performance.now()
    const reads = await poller.round(nodes, cursors)
    times.push(performance.now() - startedAt)
    read = reads.filter(({ signals }) => signals.every((one) => one.is !== 'bmc' || one.event !== 'unreachable')).length
    cursors = Object.fromEntries(reads.map(({ node, cursor }) => [node, cursor]))
  }
  const [first = 0, ...later] = times
  const median = later.toSorted((a, b) => a - b)[Math.floor(later.length / 2)] ?? 0
  return {
    bmcs: nodes.length,
    atOnce: BMCS_AT_ONCE,
    firstRoundMs: Math.round(first),
    roundMs: Math.round(median),
    read,
  }
}

async function overRedfish(delayMs: number): Promise<PollFigures> {
  // A process of its own: the BMCs' part of the work is not ours.
  const fleet = fork(fileURLToPath(new URL('./bmc-polls/fleet.ts', import.meta.url)), [String(BMCS), String(delayMs)])
  try {
    const [served] = (await once(fleet, 'message')) as [ServedFleet]
    const { user, password, fingerprint256 } = served
    const nodes: Record<string, RedfishNode> = {}
    for (const [name, url] of Object.entries(served.urls)) {
      nodes[name] = { url, user, password: secret(password), fingerprint256 }
    }
    const bmc = redfishBmc({ nodes, clock })
    const figures = await rounds(bmc, Object.keys(nodes).map(nodeName))
    await bmc.close()
    return figures
  } finally {
    fleet.kill()
  }
}

async function overIpmi(): Promise<PollFigures | { readonly leftOut: string }> {
  for (const program of ['ipmitool', 'ipmi_sim']) {
    const found = await run({
      driver: 'bench',
      doing: `look for ${program}`,
      command: ['which', program],
      deadlineMs: 5_000,
    })
    if (found.code !== 0) return { leftOut: `${program} is not installed` }
  }
  const dir = await mkdtemp(join(tmpdir(), 'coulisse-bench-bmc-'))
  const named = Array.from({ length: SIMULATORS }, (_, index) => nodeName(`bmc${index + 1}`))
  const nodes = named.map((name, index) => ({
    name,
    systemUuid: `4c4c4544-0033-4a10-8051-b2c04f4a39${String(index).padStart(2, '0')}`,
    serial: `7QX4J${index}`,
    fans: FANS,
  }))
  const bmcs = await startRealBmcs({ dir: join(dir, 'bmc'), nodes, firstPort: FIRST_PORT })
  try {
    const fleet = Array.from({ length: BMCS }, (_, index) => nodeName(`pve${index + 1}`))
    const targets = [...bmcs.byNode.values()].map(({ host, port, user, password }) => ({ host, port, user, password }))
    const of = (index: number) => {
      const target = targets[index % targets.length]
      if (target === undefined) throw new Error('no simulator')
      return target
    }
    const bmc = ipmiBmc({
      nodes: Object.fromEntries(fleet.map((name, index) => [name, of(index)])),
      clock,
      cacheDir: join(dir, 'cache'),
    })
    const figures = await rounds(bmc, fleet)
    await bmc.close()
    return figures
  } finally {
    await bmcs.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { json: { type: 'boolean' } } })
  const figures = await measureBmcPolls()
  if (values.json) process.stdout.write(`${JSON.stringify({ 'bmc-polls': figures })}\n`)
  else console.table(figures)
}
