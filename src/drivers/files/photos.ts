/** A technician's pictures as files, named by their content: the same picture sent twice is kept once. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DriverError } from '#domain/driver-error'

/** What phones send; the ending comes from here and never from the name that somebody gave. */
const ENDINGS: Readonly<Record<string, string>> = { 'image/jpeg': 'jpg', 'image/png': 'png', 'image/webp': 'webp' }
const NAME_LENGTH = 32

/** Returns the name under which the picture is kept. DriverError 'never' for what is no picture, 'later' for a full disk. */
export function keepPhotoIn(folder: string, photo: { readonly type: string; readonly bytes: Uint8Array }): string {
  const ending = ENDINGS[photo.type]
  if (ending === undefined) {
    const text = `${photo.type} is no picture; there are ${Object.keys(ENDINGS).join(', ')}`
    throw new DriverError('files', 'keep a picture', { retry: 'never', text })
  }
  const name = `${createHash('sha256').update(photo.bytes).digest('hex').slice(0, NAME_LENGTH)}.${ending}`
  const path = join(folder, name)
  try {
    if (existsSync(path)) return name
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(`${path}.new`, photo.bytes)
    renameSync(`${path}.new`, path)
    return name
  } catch (cause) {
    throw new DriverError('files', 'keep a picture', { retry: 'later', cause })
  }
}
