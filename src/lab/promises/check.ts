/** The ten promises, looked at after every event and command, from the world's truth. */
import type { World, WorldCommand, WorldEvent } from '#lab/world/state'

export function checkAfterEvent(_world: World, _event: WorldEvent): void {}
export function checkAfterCommand(_world: World, _command: WorldCommand): void {}
export function checkAfterInterlock(_world: World): void {}
export function checkPage(_world: World, _page: { customer: string; html: string }): void {}
export function checkMail(_world: World, _mail: { to: string; subject: string; text: string; html?: string }): void {}
