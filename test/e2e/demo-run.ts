/** One headless demo under test: its first line, its summary by the contract's shape, the lab's truth, and its four processes. */
import { z } from 'zod'
import { getJson, isAlive, Run, readPid, until } from './coulisse.ts'

const instant = z.iso.datetime()
const measured = z.union([z.number().nonnegative(), z.literal('unmeasured')])

export const firstLineSchema = z.object({
  state: z.string(),
  control: z.url(),
  url: z.url(),
  pids: z.object({
    lab: z.int().positive(),
    postgres: z.int().positive(),
    controlPlane: z.int().positive(),
  }),
})
export type FirstLine = z.infer<typeof firstLineSchema>

/** The contract's "Demo summary". */
export const summarySchema = z.object({
  maintenanceId: z.string().min(1),
  ending: z.literal('done'),
  resumed: z.int().nonnegative(),
  brokenPromises: z.array(z.unknown()).length(0),
  stages: z
    .array(z.object({ stage: z.string(), startedAt: instant, endedAt: instant }))
    .refine((stages) => stages.map(({ stage }) => stage).join(' ') === STAGES, 'all eight stages in order'),
  guestsMoved: z.int().positive(),
  guestsHome: z.int().positive(),
  longestBlackoutMs: measured,
  longestProbeGapMs: measured,
  probeIntervalMs: z.number().positive(),
  simulated: z.literal(true),
  noout: z.object({ setAt: instant, clearedAt: instant }),
  reports: z.array(z.string()).min(1),
  evidence: z.array(z.string()).min(1),
  roots: z.string(),
  journalEntries: z.int().positive(),
  wallMs: z.number().positive(),
})
export type Summary = z.infer<typeof summarySchema>

const STAGES = 'detect plan drain isolate repair verify reintegrate tell'

export type Truth = {
  readonly nowMs: number
  readonly guests: readonly { vmid: number; node: string; home: string; runsOn: readonly string[]; status: string }[]
  readonly nodes: readonly { name: string; power: string; online: boolean; haMaintenance: boolean; locate: boolean }[]
  readonly flags: readonly string[]
  readonly hostFlags: Readonly<Record<string, readonly string[]>>
  readonly osds: readonly { id: number; up: boolean; in: boolean }[]
  readonly leases: Readonly<Record<string, unknown>>
  readonly startedTwice: readonly unknown[]
  readonly brokenPromises: readonly unknown[]
}

export type Row = { readonly seq: number; readonly event: { readonly kind: string } & Record<string, unknown> }

export class DemoRun extends Run {
  readonly stateDir: string
  #first: FirstLine | undefined

  constructor(stateDir: string, ...more: readonly string[]) {
    super(['demo', '--headless', '--json', '--state', stateDir, ...more])
    this.stateDir = stateDir
  }

  async first(): Promise<FirstLine> {
    this.#first ??= firstLineSchema.parse(await this.firstLine('err'))
    return this.#first
  }

  /** What the control plane tells now; empty while there is no maintenance, or nobody answers. */
  async rows(): Promise<readonly Row[]> {
    const { url } = await this.first()
    const list = await getJson<{ maintenances: { id: string }[] }>(`${url}/api/maintenances`)
    const id = list?.maintenances[0]?.id
    if (id === undefined) return []
    return (await getJson<{ rows: Row[] }>(`${url}/api/maintenances/${id}/journal`))?.rows ?? []
  }

  /** Resolves as soon as the journal has so many rows. */
  reaches(rowCount: number): Promise<void> {
    return this.#untilRows(`row ${rowCount}`, (rows) => rows.length >= rowCount)
  }

  reachesEvent(kind: string): Promise<void> {
    return this.#untilRows(kind, (rows) => rows.some(({ event }) => event.kind === kind))
  }

  async #untilRows(what: string, isReached: (rows: readonly Row[]) => boolean): Promise<void> {
    await until(what, async () => {
      if (this.isEnded) throw new Error(`the demo ended before ${what}: ${this.err}${this.out}`)
      return isReached(await this.rows()) ? true : undefined
    })
  }

  async truth(): Promise<Truth> {
    const { control } = await this.first()
    return until('the truth', () => getJson<Truth>(`${control}/world`))
  }

  summary(): Summary {
    return summarySchema.parse(JSON.parse(this.out))
  }

  /** The four processes of the contract. */
  pids(): Readonly<Record<string, number | undefined>> {
    const names = ['launcher', 'lab', 'postgres', 'control-plane']
    return Object.fromEntries(names.map((name) => [name, readPid(this.stateDir, name)]))
  }
}

export const killHard = (pid: number) => process.kill(pid, 'SIGKILL')

export async function gone(...pids: readonly number[]): Promise<void> {
  await until(`processes ${pids.join(', ')} to end`, () => (pids.some(isAlive) ? undefined : true))
}
