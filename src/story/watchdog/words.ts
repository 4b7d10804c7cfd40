/** A round of shouts as a mail: what is new or still stands first, what is over last. Pure. */
import { dateTimeText } from '#domain/figures'
import type { Shout } from './ledger.ts'

const RANK = { new: 0, again: 1, over: 2 } as const
const SUBJECT_LIMIT_CHARACTERS = 120

export function mailOf(
  shouts: readonly Shout[],
  cluster: string,
  nowMs: number,
): { readonly key: string; readonly subject: string; readonly text: string } {
  const sorted = [...shouts].sort((a, b) => RANK[a.is] - RANK[b.is] || severityRank(a) - severityRank(b))
  const [first] = sorted
  const more = sorted.length > 1 ? ` (and ${sorted.length - 1} more)` : ''
  const head = first === undefined ? '' : `${first.is === 'over' ? 'over: ' : ''}${nameOf(first)}`
  return {
    key: `watchdog/${cluster}/${nowMs}/${sorted.map(({ is, key }) => `${is} ${key}`).join(', ')}`,
    subject: `${cluster}: ${head}${more}`.slice(0, SUBJECT_LIMIT_CHARACTERS),
    text: `${sorted.map(paragraphOf).join('\n\n')}\n`,
  }
}

const severityRank = ({ alert }: Shout) => (alert.severity === 'critical' ? 0 : 1)

const NAMES = {
  'lease-expired': 'the noout lease ran out',
  'lease-expires-soon': 'the noout lease runs out soon',
  'lease-without-maintenance': 'a noout lease without a maintenance',
  'lease-released': 'the watchdog gave an expired noout lease back',
  'lease-unreadable': 'a noout lease that cannot be read',
  'noout-lost': 'noout was cleared under a lease',
  'maintenance-mode-left': 'maintenance mode without a maintenance',
  'maintenance-overdue': 'a maintenance stands still',
  'maintenance-stuck': 'a maintenance is stuck',
  'control-plane-gone': 'the control plane is gone',
  'database-gone': 'the database is gone',
  'ceph-unseen': 'Ceph cannot be seen',
  'proxmox-unseen': 'Proxmox cannot be seen',
} as const satisfies Record<Shout['alert']['kind'], string>

const nameOf = ({ alert: { kind, subject } }: Shout) => `${subject}: ${NAMES[kind]}`

function paragraphOf(shout: Shout): string {
  const { is, alert, sinceMs } = shout
  const since = `since ${dateTimeText(sinceMs)}`
  if (is === 'over') return `Over: ${nameOf(shout)} (${since}).`
  const again = is === 'again' ? 'Still: ' : ''
  return `${again}${nameOf(shout)} (${alert.severity}, ${since})\n${alert.text}.\nTo do: ${alert.mend}`
}
