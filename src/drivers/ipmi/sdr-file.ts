/** The sensor records that `ipmitool sdr dump` writes: a cache is used only when it is whole. Pure. */

/** Record id (2), SDR version (1), record type (1), length of what follows (1). IPMI 2.0, chapter 43. */
const HEADER_BYTES = 5
const LENGTH_AT = 4

/**
 * How many records the file holds; undefined where it is not whole. `ipmitool -S` reads a torn file up to the tear and ends with 0:
 * the fans behind it are missing, and nobody says so.
 */
export function recordCount(file: Uint8Array): number | undefined {
  let at = 0
  let count = 0
  while (at < file.length) {
    const length = file[at + LENGTH_AT]
    if (length === undefined) return undefined
    at += HEADER_BYTES + length
    count++
  }
  return at === file.length && count > 0 ? count : undefined
}

/**
 * By what the sensor records of a BMC are known: its firmware, how many there are, and when one was added or erased last.
 * Undefined where the BMC does not tell.
 */
export function sdrVersionIn({
  mcInfo,
  sdrInfo,
}: {
  readonly mcInfo: string
  readonly sdrInfo: string
}): string | undefined {
  const of = (text: string, name: string) => new RegExp(`^${name}\\s*: *(.+)$`, 'm').exec(text)?.[1]?.trim()
  const firmware = of(mcInfo, 'Firmware Revision')
  const count = of(sdrInfo, 'Record Count')
  if (firmware === undefined || count === undefined) return undefined
  return [firmware, count, of(sdrInfo, 'Most recent Addition') ?? '', of(sdrInfo, 'Most recent Erase') ?? ''].join('|')
}

/** The records that the BMC says it has. */
export const recordsOf = (sdrVersion: string): number => Number(sdrVersion.split('|')[1])
