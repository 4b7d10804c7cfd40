/** What a migration's task log tells: progress, the pause, and the danger sign that Proxmox allows itself a longer pause. */
import type { Known } from '#domain/measured'

export type MigrationLog = {
  readonly transferredBytes: Known<number>
  readonly totalBytes: Known<number>
  readonly allowedPauseMs: Known<number>
  readonly blackoutMs: Known<number>
  readonly bytesPerSecond: Known<number>
  /** "starting migration of VM 101 to node 'pve2' (10.77.0.12)" */
  readonly target: string | undefined
  readonly interrupted: boolean
  readonly lastError: string | undefined
}

export const EMPTY_LOG: MigrationLog = {
  transferredBytes: 'unknown',
  totalBytes: 'unknown',
  allowedPauseMs: 'unknown',
  blackoutMs: 'unknown',
  bytesPerSecond: 'unknown',
  target: undefined,
  interrupted: false,
  lastError: undefined,
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }
const SIZE = '([\\d.]+) (B|KiB|MiB|GiB|TiB)'
const PROGRESS = new RegExp(`migration active, transferred ${SIZE} of ${SIZE} VM-state`)
const COMPLETED = new RegExp(`migration completed, transferred ${SIZE} VM-state`)
// qemu-server prints it once, when QEMU has said completed: 'average migration speed: 144.8 MiB/s - downtime 5 ms'.
const AVERAGE = new RegExp(`average migration speed: ${SIZE}/s - downtime (\\d+) ms`)
const TARGET = /starting migration of (?:VM|CT) \d+ to node '([^']+)'/
const LIMIT = /migration downtime limit: (\d+) ms/
const RAISED = /auto-increased downtime to continue migration: (\d+) ms/
const FAILED = /(?:^TASK ERROR: |ERROR: )(.+)$/
const INTERRUPTED = /received interrupt|interrupted by signal/

const bytes = (amount: string | undefined, unit: string | undefined): number =>
  Math.round(Number(amount) * (UNITS[unit ?? 'B'] ?? 1))

const larger = (known: Known<number>, value: number) => (known === 'unknown' ? value : Math.max(known, value))

/** Folds one more line in; lines come in order, each once. */
export function readLogLine(log: MigrationLog, line: string): MigrationLog {
  const limit = LIMIT.exec(line) ?? RAISED.exec(line)
  if (limit !== null) return { ...log, allowedPauseMs: larger(log.allowedPauseMs, Number(limit[1])) }
  const progress = PROGRESS.exec(line)
  if (progress !== null) {
    return { ...log, transferredBytes: bytes(progress[1], progress[2]), totalBytes: bytes(progress[3], progress[4]) }
  }
  const completed = COMPLETED.exec(line)
  if (completed !== null) return { ...log, transferredBytes: bytes(completed[1], completed[2]) }
  const average = AVERAGE.exec(line)
  if (average !== null) {
    return { ...log, bytesPerSecond: bytes(average[1], average[2]), blackoutMs: Number(average[3]) }
  }
  const target = TARGET.exec(line)
  if (target !== null) return { ...log, target: target[1] }
  const interrupted = log.interrupted || INTERRUPTED.test(line)
  const failed = FAILED.exec(line)
  return { ...log, interrupted, lastError: log.lastError === undefined && failed !== null ? failed[1] : log.lastError }
}

export const readLog = (lines: readonly string[]): MigrationLog => lines.reduce(readLogLine, EMPTY_LOG)

const END = /^TASK (?:(OK)|(WARNINGS: \d+)|ERROR: (.*))$/

/** A worker's last line names its exit status; undefined: this is not the last line, or it died without one. */
export function exitOfLine(line: string): string | undefined {
  const match = END.exec(line)
  return match === null ? undefined : (match[1] ?? match[2] ?? match[3])
}

/** What a task's exit status means for a migration. 'unexpected status': the worker was killed, or its node died. */
export function outcomeOf(exitStatus: string, log: MigrationLog): 'ok' | 'failed' | 'cancelled' | 'unknown' {
  if (exitStatus === 'OK' || /^WARNINGS: \d+$/.test(exitStatus)) return 'ok'
  if (exitStatus === '' || exitStatus.startsWith('unexpected status') || exitStatus === 'unknown') return 'unknown'
  if (exitStatus === 'received interrupt' || log.interrupted) return 'cancelled'
  return 'failed'
}
