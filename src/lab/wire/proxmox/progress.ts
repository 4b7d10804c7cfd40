/** A migration's log as it stands now: Proxmox adds a line of progress each second, the world keeps only what changes something. */
import { migrationNow } from '#lab/world/queries'
import type { World, WorldTask } from '#lab/world/state'
import { renderBytes } from '#lab/world/tasks'

/** The world's own lines, and the present progress as the last one while it is copied: a line that a later look replaces. */
export function progressLines(world: World, task: WorldTask): readonly string[] {
  if (task.status !== 'running') return task.log
  const migration = migrationNow(world, task.upid)
  if (migration?.phase !== 'copying') return task.log
  const stamp = new Date(world.nowMs).toISOString().slice(0, 19).replace('T', ' ')
  const amount = `${renderBytes(migration.transferredBytes)} of ${renderBytes(migration.totalBytes)} VM-state`
  const speed = `${renderBytes(migration.bytesPerSecond)}/s`
  return [...task.log, `${stamp} migration active, transferred ${amount}, ${speed}`]
}
