/** The engine in memory keeps the contract of the saga engine. */
import { type CrashTrial, type SagaHarness, sagaContract } from '#contracts/saga-contract'
import { contractDefinitions, type Ledger, playRich } from '#contracts/saga-definitions'
import { VirtualClock } from '../virtual-clock.ts'
import { MemoryEngine, type MemoryEngineOptions, SimulatedCrash } from './memory-engine.ts'
import { simulate } from './simulate.ts'

const LIMIT_MS = 7_200_000

type MemoryLedger = Ledger & { readonly all: string[] }

function memoryLedger(): MemoryLedger {
  const all: string[] = []
  return { all, note: async (line) => void all.push(line), lines: async () => all }
}

function setUp(options: Partial<MemoryEngineOptions> = {}) {
  const clock = new VirtualClock(1_000_000)
  const ledger = memoryLedger()
  const code = { isChanged: false }
  const definitions = contractDefinitions({ ledger, clock, code })
  const engine = new MemoryEngine({ clock, definitions, ...options })
  const noted = (line: string) => simulate({ clock, until: () => ledger.all.includes(line), limitMs: LIMIT_MS })
  const ended = async (id: string) => {
    await simulate({ clock, until: () => engine.hasEnded(id), limitMs: LIMIT_MS })
    return (await engine.status(id)) ?? { is: 'running' as const }
  }
  return { clock, ledger, code, engine, noted, ended }
}

async function crashTrial(...moments: readonly number[]): Promise<CrashTrial | undefined> {
  const places: string[] = []
  const world = setUp({
    restartAfterMs: 700,
    onBoundary: (at, where) => {
      if (!moments.includes(at)) return
      places.push(where)
      throw new SimulatedCrash(where)
    },
  })
  await playRich({ ...world, id: 'rich-1' })
  const status = await world.ended('rich-1')
  if (places.length < moments.length) return undefined
  const result = status.is === 'ended' ? status.result : status.is
  return { killedAt: places.join(', then '), result, lines: world.ledger.all, kills: moments.length }
}

async function everyCrash(): Promise<readonly CrashTrial[]> {
  const trials: CrashTrial[] = []
  for (let trial = await crashTrial(0); trial; trial = await crashTrial(trials.length)) trials.push(trial)
  return [...trials, ...(await crashedAgain(trials.length))]
}

/** Killed once more soon after it was taken up: in the replay, at its end, and beyond. */
async function crashedAgain(momentCount: number): Promise<readonly CrashTrial[]> {
  const trials: CrashTrial[] = []
  for (let n = 0; n < momentCount; n++) {
    for (const later of [1, 8, 40]) {
      const trial = await crashTrial(n, n + later)
      if (trial) trials.push(trial)
    }
  }
  return trials
}

async function makeHarness(): Promise<SagaHarness> {
  const world = setUp()
  return {
    ...world,
    restart: async (change) => {
      world.code.isChanged = change === 'changed-code'
      world.engine.recover()
    },
    crashTrials: everyCrash,
    close: async () => {},
  }
}

sagaContract('in memory', makeHarness)
