/** One place that knows of many nodes at once: alerts that were sent to us, queries of a monitoring system. */
import type { Signal } from '#domain/signal'

export type SignalSource = {
  /** 'alertmanager', 'prometheus': the name of its cursor. */
  readonly name: string
  /**
   * Signals after the cursor (opaque, '' the first time), in order. `notes`: what a person should know and no signal says, each
   * once. The cursor may be stored long after: asked again with an old one, it tells the same signals again.
   */
  signals(
    cursor: string,
  ): Promise<{ readonly signals: readonly Signal[]; readonly cursor: string; readonly notes: readonly string[] }>
  /** `cursor` is stored now: what lies behind it may be forgotten. Never called: nothing is lost. */
  stored?(cursor: string): Promise<void>
}
