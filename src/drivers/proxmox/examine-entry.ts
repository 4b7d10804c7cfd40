/** One way in: does it answer, with the pinned certificate, in a release that we know, at our time, and does it know the token? */
import type { Check } from '#domain/check'
import { STAGES } from '#domain/maintenance'
import type { Clock } from '#ports/clock'
import { clockDifferenceMs } from './clock-difference.ts'
import { type Answer, parseAnswer } from './schema.ts'
import type { EntryPoint, Transport, WireAnswer } from './transport.ts'
import * as wire from './wire.ts'

export type EntrySeen = {
  readonly point: EntryPoint
  readonly checks: readonly Check[]
  /** It answered, and took the token for one of its own. */
  readonly knowsToken: boolean
  readonly node?: string
  readonly cluster?: string
}

type Way = {
  readonly point: EntryPoint
  readonly clock: Clock
  readonly deadlineMs: number
  readonly transport: (entry: EntryPoint) => Transport
}

/** Tasks and leases are found by their times: more than this, and one of ours could be missed. */
const CLOCK_DIFFERENCE_LIMIT_MS = 5_000

export async function examineEntry({ point, clock, deadlineMs, transport }: Way): Promise<EntrySeen> {
  const way = transport(point)
  try {
    const askedAtMs = await clock.nowMs()
    const raw = await way.send({ method: 'GET', path: '/version', deadlineMs })
    const answeredAtMs = await clock.nowMs()
    const version = parseAnswer(raw, wire.version)
    if (version.is !== 'data') return { point, knowsToken: false, checks: [refusedCheck(point, raw, version)] }
    const status = parseAnswer(
      await way.send({ method: 'GET', path: '/cluster/status', deadlineMs }),
      wire.clusterStatus,
    )
    const members = status.is === 'data' ? status.data : []
    const node = members.find((member) => member.local === true)?.name
    const cluster = members.find((member) => member.type === 'cluster')?.name
    return {
      point,
      knowsToken: true,
      checks: [
        versionCheck(point, version.data.version),
        ...nodeChecks(point, node),
        ...clockChecks(point, raw, { askedAtMs, answeredAtMs }),
      ],
      ...(node === undefined ? {} : { node }),
      ...(cluster === undefined ? {} : { cluster }),
    }
  } finally {
    await way.close()
  }
}

const nameOf = ({ node, url }: EntryPoint) => (node === undefined ? url : `${node} (${url})`)
const about = (point: EntryPoint) => ({ area: 'proxmox', subject: nameOf(point) }) as const

function refusedCheck(point: EntryPoint, raw: WireAnswer, answer: Exclude<Answer<unknown>, { is: 'data' }>): Check {
  if (raw.is === 'not-sent' && !raw.pinned) {
    const file = '/etc/pve/local/pveproxy-ssl.pem'
    return {
      ...about(point),
      outcome: 'dangerous',
      text: `${raw.text}; it was renewed, or somebody else answers`,
      mend:
        `Compare on the node itself before you write it into fingerprint256: ` +
        `openssl x509 -noout -fingerprint -sha256 -in ${file} || openssl x509 -noout -fingerprint -sha256 -in ${file.replace('pveproxy-ssl', 'pve-ssl')}`,
    }
  }
  if (answer.is === 'refused' && answer.status === 401) {
    const [user = '', id = ''] = point.tokenId.split('!')
    return {
      ...about(point),
      outcome: 'missing',
      text: `it does not know the token ${point.tokenId}, or its secret is another`,
      stages: STAGES,
      mend: `pveum user add '${user}'; pveum user token add '${user}' '${id}' --privsep 1`,
    }
  }
  return {
    ...about(point),
    outcome: 'missing',
    text: `it does not answer as Proxmox VE: ${answer.text}`,
    mend: `On the node: systemctl status pveproxy; from here: curl -k ${point.url}/api2/json/version (401 is a sign of life)`,
  }
}

/** Recorded and proven: 9.2; 8.4 has groups for rules. What is older or newer was never tried. */
function versionCheck(point: EntryPoint, version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major === 9 || (major === 8 && minor >= 4))
    return { ...about(point), outcome: 'fine', text: `Proxmox VE ${version}` }
  if (major > 9) {
    const text = `Proxmox VE ${version} is newer than 9.x: nobody has tried this driver with it`
    return { ...about(point), outcome: 'dangerous', text, mend: 'Ask for a Coulisse that names this release.' }
  }
  return {
    ...about(point),
    outcome: 'missing',
    text: `Proxmox VE ${version || 'unknown'} is older than 8.4, the oldest that this driver knows`,
    stages: STAGES,
    mend: 'Bring the node to 8.4 or 9.x: https://pve.proxmox.com/wiki/Category:Upgrade',
  }
}

/** An entry point under another node's name is asked about the very node that it should stay away from. */
function nodeChecks(point: EntryPoint, node: string | undefined): readonly Check[] {
  if (point.node === undefined || node === undefined || point.node === node) return []
  return [
    {
      ...about(point),
      outcome: 'dangerous',
      text: `it is configured as ${point.node}, and it is ${node}: the drain of ${node} would go through its own API`,
      stages: ['drain', 'isolate'],
      mend: `Write node: ${node} for ${point.url}.`,
    },
  ]
}

function clockChecks(
  point: EntryPoint,
  raw: WireAnswer,
  asked: { readonly askedAtMs: number; readonly answeredAtMs: number },
): readonly Check[] {
  const nodeMs = Date.parse(raw.is === 'answer' ? (raw.date ?? '') : '')
  if (Number.isNaN(nodeMs)) return []
  const differenceMs = clockDifferenceMs({ nodeMs, ...asked })
  const clock = { area: 'clock', subject: nameOf(point) } as const
  if (Math.abs(differenceMs) <= CLOCK_DIFFERENCE_LIMIT_MS) {
    return [{ ...clock, outcome: 'fine', text: 'shows the same time as this machine' }]
  }
  const text =
    `its clock is ${Math.round(Math.abs(differenceMs) / 1000)} s ${differenceMs > 0 ? 'ahead of' : 'behind'} ours: ` +
    'tasks are found by their times, and one of ours could be missed'
  const mend = 'On whichever is wrong: systemctl restart chrony && chronyc makestep'
  return [{ ...clock, outcome: 'dangerous', text, stages: ['drain', 'reintegrate'], mend }]
}
