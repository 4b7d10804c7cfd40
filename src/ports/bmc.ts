/** The baseboard management controllers, one a node. */
import type { NodeName } from '#domain/ids'
import type { Known } from '#domain/measured'
import type { Hardware } from '#domain/node'
import type { Signal } from '#domain/signal'

export type Power = { readonly is: 'on' } | { readonly is: 'off' } | { readonly is: 'unknown'; readonly reason: string }

/** Who the BMC says it is. At least one of both is needed for proof. */
export type BmcIdentity = {
  readonly systemUuid: Known<string>
  readonly serial: Known<string>
  /** Where somebody wrote one into the board. */
  readonly assetTag?: string
}

export type FanReading = {
  readonly part: string
  readonly state: 'ok' | 'low' | 'absent' | 'unreadable'
  readonly rpm: Known<number>
}

export type Bmc = {
  identity(node: NodeName): Promise<BmcIdentity>
  power(node: NodeName): Promise<Power>
  powerOn(node: NodeName): Promise<void>
  /** Presses the power button: an order to the operating system, which may take minutes or not heed it. There is no hard power-off. */
  softOff(node: NodeName): Promise<void>
  setLocate(node: NodeName, on: boolean): Promise<void>
  fans(node: NodeName): Promise<readonly FanReading[]>
  /** What the machine does when the cord goes back in. */
  powerRestorePolicy(node: NodeName): Promise<'always-on' | 'always-off' | 'previous' | 'unknown'>
  /** DIMMs and the like, as far as the BMC knows; 'unknown' for the rest. */
  hardware(node: NodeName): Promise<Partial<Hardware>>
  /**
   * Log records after the cursor (opaque, '' the first time) and the present readings that are out of band. A log that was
   * cleared or wrapped is told as a BmcSignal. A BMC that does not answer is a signal too ('unreachable'), not an error.
   */
  signals(node: NodeName, cursor: string): Promise<{ readonly signals: readonly Signal[]; readonly cursor: string }>
}
