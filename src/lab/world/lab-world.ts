/** One world with a clock in it: what `simulate`, the ports and the wire servers share. */
import { advanceTo, nextEventAtMs } from './advance.ts'
import { inMotion, inRealTime } from './queries.ts'
import type { World } from './state.ts'

export class LabWorld {
  readonly state: World

  constructor(state: World) {
    this.state = state
  }

  /** When something happens next by itself; undefined: never. */
  nextEventAtMs(): number | undefined {
    return nextEventAtMs(this.state)
  }

  advanceTo(atMs: number): void {
    advanceTo(this.state, atMs)
  }

  get inMotion(): boolean {
    return inMotion(this.state)
  }

  get inRealTime(): boolean {
    return inRealTime(this.state)
  }
}
