/** Promise 10: before every command of ours the journal had said that we intend it. */
import type { World, WorldCommand } from '#lab/world/state'
import { breakPromise } from './broken.ts'

/** Which act of the journal stands behind a command; none: nothing in the story may do this. */
const ACTS: readonly { readonly command: RegExp; readonly act: string }[] = [
  { command: /^migrate$/, act: 'migrate' },
  { command: /^cancel-task$/, act: 'cancel-migration' },
  { command: /^(set|clear)-maintenance-mode$/, act: 'set-maintenance-mode' },
  { command: /^shut-down$/, act: 'shut-down' },
  { command: /^power-on$/, act: 'power-on' },
  { command: /^set-locate$/, act: 'set-locate' },
  { command: /^set-flag:(host|cluster):noout$/, act: 'set-noout' },
  { command: /^clear-flag:(host|cluster):noout$/, act: 'clear-noout' },
  { command: /^put-config-key:coulisse\/lease\//, act: 'put-lease' },
  { command: /^delete-config-key:coulisse\/lease\//, act: 'delete-lease' },
  { command: /^fail-mgr$/, act: 'fail-mgr' },
  { command: /^stop-osds$/, act: 'stop-osds' },
  { command: /^mail$/, act: 'notify' },
  { command: /^publish-page$/, act: 'publish-report' },
]

export function checkIntent(world: World, command: WorldCommand): void {
  if (!world.journalJoined) return
  const act = ACTS.find((one) => one.command.test(command.kind))?.act
  const node = command.asked ?? command.node
  const intended = world.intents.some(
    (intent) =>
      intent.kind === act &&
      (intent.guest === undefined || command.guest === undefined || intent.guest === command.guest) &&
      (intent.to === undefined || command.to === undefined || intent.to === command.to) &&
      (act === 'migrate' || intent.node === undefined || node === undefined || intent.node === node),
  )
  const about = command.guest === undefined ? (node ?? '') : `guest ${command.guest}`
  if (!intended) breakPromise(world, 10, `${command.kind} ${about}: the journal did not show it before`)
}
