/** Proxmox's task ids: `UPID:node:pid:pstart:starttime:type:id:user[!token]:`, numbers in hex, id may be empty. */

import { DriverError } from '#domain/driver-error'

export type Upid = {
  readonly text: string
  readonly node: string
  readonly startedAtMs: number
  readonly type: string
  readonly id: string
}

const FORM = /^UPID:([^:\s]+):([0-9A-F]{8,16}):([0-9A-F]{8,16}):([0-9A-F]{8,16}):([^:\s]+):([^:\s]*):([^:\s]+):$/i

export function parseUpid(text: string): Upid | undefined {
  const match = FORM.exec(text)
  if (match === null) return undefined
  const [, node = '', , , started = '', type = '', id = ''] = match
  return { text, node, startedAtMs: Number.parseInt(started, 16) * 1000, type, id }
}

export const MIGRATION_TYPES: ReadonlySet<string> = new Set(['qmigrate', 'vzmigrate'])

/** @throws DriverError 'never' for what is no task id */
export function upidOf(handle: string, doing: string): Upid {
  const upid = parseUpid(handle)
  if (upid !== undefined) return upid
  throw new DriverError('proxmox', doing, { retry: 'never', text: `'${handle}' is not a task of Proxmox` })
}
