/** The one error of the outside world. It says whether trying again helps, so that nobody parses messages. */

export type Retry = 'now' | 'later' | 'never'

export class DriverError extends Error {
  override readonly name = 'DriverError'
  readonly driver: string
  readonly doing: string
  readonly retry: Retry

  /**
   * @param driver which system: 'proxmox', 'ceph', 'redfish' …
   * @param doing  what we were doing, in the words of the person who reads it at 3 a.m.: 'migrate guest 101 to pve1'
   */
  constructor(driver: string, doing: string, options: { retry: Retry; cause?: unknown; text?: string }) {
    const why = options.text ?? (options.cause instanceof Error ? options.cause.message : 'no reason given')
    super(`${driver}: ${doing}: ${why}`, { cause: options.cause })
    this.driver = driver
    this.doing = doing
    this.retry = options.retry
  }
}

const NOW_TRIES_LIMIT = 3
const LATER_TRIES_LIMIT = 6
const LATER_FIRST_WAIT_MS = 1_000
const LATER_WAIT_CEILING_MS = 15_000

/**
 * How long to wait before try number `triesSoFar + 1`, or 'give-up'. A bug (not a DriverError) is never repeated.
 * 'later' doubles from 1 s up to 15 s, six tries in all: about 45 s, longer than a Proxmox proxy's own 30 s time-out.
 */
export function waitBeforeRetryMs(error: unknown, triesSoFar: number): number | 'give-up' {
  if (!(error instanceof DriverError)) return 'give-up'
  switch (error.retry) {
    case 'never':
      return 'give-up'
    case 'now':
      return triesSoFar < NOW_TRIES_LIMIT ? 0 : 'give-up'
    case 'later':
      if (triesSoFar >= LATER_TRIES_LIMIT) return 'give-up'
      return Math.min(LATER_FIRST_WAIT_MS * 2 ** (triesSoFar - 1), LATER_WAIT_CEILING_MS)
  }
}
