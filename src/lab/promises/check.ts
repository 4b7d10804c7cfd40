/** The ten promises, looked at after every event and command, from the world's truth and never from the program's records. */
import type { World, WorldCommand, WorldEvent } from '#lab/world/state'
import { checkAllGuests, checkGuest, checkMove, checkPause, checkTogether, expectTold } from './guest-promises.ts'
import { checkIntent } from './intent-promise.ts'
import { checkInterlock, expectWithdrawn } from './interlock-promise.ts'
import { checkFlagCommand, checkLease } from './noout-promise.ts'
import { checkHardOff, checkOsds, checkShutdown, checkTwoAway, checkWhoseBmc } from './power-promises.ts'

/** Looks only where the event can have changed something: a night has thousands of them. */
export function checkAfterEvent(world: World, event: WorldEvent) {
  switch (event.kind) {
    case 'migration': {
      expectTold(world, event.id)
      return checkGuest(world, world.tasks[event.id]?.guest)
    }
    case 'guest-starts':
      return checkGuest(world, event.guest)
    case 'pause-check':
      return checkPause(world, event)
    case 'together-check':
      return checkTogether(world, event)
    case 'interlock-check':
      return checkInterlock(world, event)
    case 'lease-expires':
      return checkLease(world, event.node)
    case 'node-off':
    case 'node-booted':
    case 'node-seen-offline':
    case 'powers-on-by-itself':
    case 'ha-recovers':
    case 'osds-up':
    case 'technician':
    case 'ends-fault':
      return checkAfterFault(world)
    default:
      return
  }
}

/** Anything may have changed. */
export function checkAfterFault(world: World): void {
  checkAllGuests(world)
  checkTwoAway(world)
  expectWithdrawn(world)
}

/** Called when the command was recorded: shut-downs and flags before their effect, all others after it. */
export function checkAfterCommand(world: World, command: WorldCommand): void {
  if (command.by !== 'us') return
  checkIntent(world, command)
  if (command.outcome === 'refused') return
  if (command.kind === 'migrate') checkMove(world, command)
  if (command.kind === 'shut-down') checkShutdown(world, command)
  if (command.kind === 'power-off-hard') checkHardOff(world, command)
  if (command.kind === 'power-on') checkWhoseBmc(world, command)
  if (command.kind === 'stop-osds') checkOsds(world, command)
  if (command.kind.includes('-flag:')) checkFlagCommand(world, command)
  if (command.kind === 'power-on' || command.kind === 'stop-guest') checkAfterFault(world)
}
