/** The long-running lab without its wire protocols: world, time, control server, file. Wire servers add themselves to it. */
import type { Snapshot } from '#domain/snapshot'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'
import { ControlServer } from './control.ts'
import { Keeper, type Pace } from './keeper.ts'
import { addRoutes } from './routes.ts'
import { loadWorld, WorldFile } from './save.ts'

export type LabProcessOptions = {
  readonly snapshot: Snapshot
  readonly seed: number
  readonly startAtMs: number
  readonly pace: Pace
  /** Absent: the world is kept in memory alone. */
  readonly worldFile?: string
  readonly controlPort?: number
}

export type LabProcess = {
  readonly lab: LabWorld
  readonly keeper: Keeper
  readonly control: ControlServer
  readonly controlUrl: string
  /** A world was found on disk and taken up again. */
  readonly resumed: boolean
  /** Before a mutating call over any wire is answered: the world is written, and time does not jump over whoever acts. */
  readonly beforeAnswer: () => void
  readonly close: () => Promise<void>
}

export async function startLabProcess(options: LabProcessOptions): Promise<LabProcess> {
  const found = options.worldFile === undefined ? undefined : loadWorld(options.worldFile)
  const lab = new LabWorld(found ?? createWorld(options))
  const file = options.worldFile === undefined ? undefined : new WorldFile(options.worldFile, lab.state)
  const keeper = new Keeper({
    lab,
    pace: options.pace,
    realNowMs: () => performance.now(),
    onChange: () => file?.soon(),
  })
  const beforeAnswer = () => {
    keeper.heard()
    file?.now()
  }
  const control = new ControlServer({ heard: () => keeper.heard(), beforeAnswer })
  addRoutes(control, lab, keeper)
  beforeAnswer()
  const controlUrl = await control.listen(options.controlPort)
  keeper.start()
  const close = async () => {
    keeper.stop()
    await control.close()
    file?.now()
  }
  return { lab, keeper, control, controlUrl, resumed: found !== undefined, beforeAnswer, close }
}
