/** The least that a unit's move may take, whoever plans it: seconds to a target, and bits over the links. */
import type { Guest } from '#domain/guest'
import type { Node } from '#domain/node'
import type { ForecastModel } from '#domain/plan'
import type { Board, Unit } from './board.ts'
import { isLocalDisk, modeOf } from './eligibility.ts'
import { RESTART_S } from './forecast.ts'

export type Least = {
  /** Before the first byte flows. */
  readonly setupS: number
  /** Over every link on the way. */
  readonly bits: number
  /** From its beginning to its end, with the links for itself. */
  readonly seconds: number
}

/** `bits` of all guests of the unit, `seconds` and `setupS` of the slowest: partners may stream at once. */
export function leastTo(board: Board, unit: Unit, to: number, model: ForecastModel): Least {
  const source = board.node(unit.home)
  const target = board.node(to)
  const each = unit.guests.map((guest) => leastOfGuest(guest, source, target, model))
  return {
    setupS: Math.min(...each.map(({ setupS }) => setupS)),
    bits: each.reduce((sum, { bits }) => sum + bits, 0),
    seconds: Math.max(...each.map(({ seconds }) => seconds)),
  }
}

/** Whatever the target: its resident memory over the fastest link. */
export function leastAnywhere({ guests }: Unit, fastestBitsPerSecond: number, model: ForecastModel): Least {
  const each = guests.map(({ residentBytes }) => residentBytes * 8)
  const bitsPerSecond = Math.min(model.streamBitsPerSecond, fastestBitsPerSecond)
  return {
    setupS: model.fixedSecondsPerMove,
    bits: each.reduce((sum, bits) => sum + bits, 0),
    seconds: model.fixedSecondsPerMove + Math.max(...each) / bitsPerSecond,
  }
}

function leastOfGuest(guest: Guest, source: Node, target: Node, model: ForecastModel): Least {
  const mode = modeOf({ guest, source, target })
  const bitsPerSecond = Math.min(model.streamBitsPerSecond, source.linkBitsPerSecond, target.linkBitsPerSecond)
  const diskBytes = guest.disks.reduce(
    (sum, { storage, bytes }) => sum + (isLocalDisk({ storage, source, target }) ? bytes : 0),
    0,
  )
  const bits = 8 * (guest.residentBytes + diskBytes + (mode === 'live' ? writtenAgain(guest, bitsPerSecond) : 0))
  const setupS = model.fixedSecondsPerMove + (mode === 'restart' ? RESTART_S : 0)
  return { setupS, bits, seconds: setupS + bits / bitsPerSecond }
}

/**
 * What it writes during the first round is sent again, be it in the pause. On a slower link it is more. What nobody measured counts as
 * nothing here, though the forecast assumes something.
 */
function writtenAgain(guest: Guest, bitsPerSecond: number): number {
  const { dirtyBytesPerSecond, writableWorkingSetBytes, residentBytes } = guest
  if (dirtyBytesPerSecond === 'unknown') return 0
  const setBytes = writableWorkingSetBytes === 'unknown' ? residentBytes : writableWorkingSetBytes
  return Math.min((dirtyBytesPerSecond * residentBytes * 8) / bitsPerSecond, setBytes, residentBytes)
}
