/** What the doctor says of one thing that he looked at: before a maintenance, never during one. */
import type { Stage } from './maintenance.ts'

/** fine; missing: a stage cannot be done, or is blind; dangerous: something would go wrong, or more is allowed than needed. */
export type CheckOutcome = 'fine' | 'missing' | 'dangerous'

export type CheckArea =
  | 'configuration'
  | 'clock'
  | 'database'
  | 'proxmox'
  | 'ha-manager'
  | 'ceph'
  | 'bmc'
  | 'prometheus'
  | 'inventory'
  | 'mail'
  | 'watchdog'

export type Check = {
  readonly area: CheckArea
  /** What was looked at: 'pve2', 'the token coulisse@pve!observe'. */
  readonly subject: string
  readonly outcome: CheckOutcome
  /** One sentence for the person who will mend it. */
  readonly text: string
  /** The stages that cannot be done, or are blind, until it is mended. */
  readonly stages?: readonly Stage[]
  /** What mends it: a command to type as it stands, or one sentence. */
  readonly mend?: string
}
