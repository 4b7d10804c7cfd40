/** Figures as people read them: durations, sizes, times of day. One place, so that log, pages and report agree. */
import type { Measured } from './measured.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS

const twoDigits = (value: number) => String(value).padStart(2, '0')

/** "62 ms", "12.4 s", "5 min 11 s", "2 h 13 min". Never rounds something up from or down to 0. */
export function durationText(ms: number): string {
  // A clock that was set back measures nothing.
  if (ms < 0) return 'an unknown time (the clock was set back)'
  if (ms < SECOND_MS) return `${ms > 0 && ms < 1 ? 'under 1' : Math.round(ms)} ms`
  // The next unit begins where rounding would write "60.0 s".
  if (ms < MINUTE_MS - 50) return `${(ms / SECOND_MS).toFixed(1).replace(/\.0$/, '')} s`
  if (ms < HOUR_MS - 500) {
    const seconds = Math.round(ms / SECOND_MS)
    return `${Math.floor(seconds / 60)} min${seconds % 60 ? ` ${seconds % 60} s` : ''}`
  }
  const minutes = Math.round(ms / MINUTE_MS)
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ''}`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** "1.5 GiB"; binary units, as Proxmox shows them. */
export function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`
}

/** "62 ms", or "unmeasured": nobody saw it, and that is not 0. */
export function measuredText(measured: Measured | undefined): string {
  return measured === undefined || measured === 'unmeasured' ? 'unmeasured' : durationText(measured.blackoutMs)
}

/** "14:05:09", UTC. */
export const timeText = (atMs: number) => new Date(atMs).toISOString().slice(11, 19)

/** "2026-03-04 14:05:09 UTC". */
export const dateTimeText = (atMs: number) => `${new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** "+02:13:05" since the start; hours go on past 24. */
export function sinceText(atMs: number, startMs: number): string {
  const seconds = Math.floor(Math.abs(atMs - startMs) / SECOND_MS)
  const hours = Math.floor(seconds / 3600)
  return `${atMs < startMs ? '-' : '+'}${twoDigits(hours)}:${twoDigits(Math.floor(seconds / 60) % 60)}:${twoDigits(seconds % 60)}`
}

/** "1 move", "7 moves". */
export const countText = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`
