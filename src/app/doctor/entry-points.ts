/** Each entry point by itself: whether it answers, as whom, with whose certificate, and with which clock. */
import { z } from 'zod'
import type { Check } from '#domain/check'
import { STAGES } from '#domain/maintenance'
import { type EntryPoint, type Transport, tlsTransport, type WireAnswer } from '#drivers/proxmox/transport'

const DEADLINE_MS = 10_000
/** Its API tells whole seconds. Beyond this one of both is wrong: leases, windows and evidence carry times. */
const CLOCK_LIMIT_S = 5

const versionAnswer = z.object({ data: z.object({ version: z.string() }) })
const timeAnswer = z.object({ data: z.object({ time: z.number() }) })
const statusAnswer = z.object({
  data: z.array(z.object({ type: z.string(), name: z.string(), local: z.coerce.number().optional() })),
})

export type EntrySeen = { readonly node: string | undefined; readonly checks: readonly Check[] }

/** @param nowMs the control plane's own clock; the lab's where a lab is behind. */
export async function examineEntryPoints(
  entries: readonly EntryPoint[],
  nowMs: () => Promise<number>,
): Promise<readonly Check[]> {
  const seen = await Promise.all(entries.map((entry) => examineEntryPoint(entry, nowMs)))
  return [...seen.flatMap(({ checks }) => checks), ...enoughNodes(seen)]
}

async function examineEntryPoint(entry: EntryPoint, nowMs: () => Promise<number>): Promise<EntrySeen> {
  const transport = tlsTransport(entry)
  try {
    const answer = await ask(transport, '/version')
    const version = parsed(answer, versionAnswer)
    if (version === undefined) return { node: entry.node, checks: [refusedCheck(entry, answer)] }
    const node = entry.node ?? localNode(await ask(transport, '/cluster/status'))
    const fine: Check = {
      area: 'proxmox',
      subject: subjectOf(entry, node),
      outcome: 'fine',
      text: `answers: Proxmox VE ${version.data.version}, the certificate is the pinned one`,
    }
    return { node, checks: [fine, ...(node === undefined ? [] : await clockChecks(transport, node, nowMs))] }
  } finally {
    await transport.close()
  }
}

const ask = (transport: Transport, path: string): Promise<WireAnswer> =>
  transport.send({ method: 'GET', path, deadlineMs: DEADLINE_MS })

function parsed<T>(answer: WireAnswer, schema: z.ZodType<T>): T | undefined {
  if (answer.is !== 'answer' || answer.status !== 200) return undefined
  try {
    return schema.safeParse(JSON.parse(answer.body)).data
  } catch {
    return undefined
  }
}

const localNode = (answer: WireAnswer) =>
  parsed(answer, statusAnswer)?.data.find(({ type, local }) => type === 'node' && local === 1)?.name

const subjectOf = ({ url }: EntryPoint, node: string | undefined) => (node === undefined ? url : `${node}, ${url}`)

function refusedCheck(entry: EntryPoint, answer: WireAnswer): Check {
  const base = { area: 'proxmox', subject: subjectOf(entry, entry.node), stages: STAGES } as const
  if (answer.is === 'not-sent' && !answer.pinned) {
    return {
      ...base,
      outcome: 'dangerous',
      text: answer.text,
      mend: 'on that node: openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/pve-ssl.pem (or pveproxy-ssl.pem); only if it says the same, correct fingerprint256',
    }
  }
  if (answer.is !== 'answer') {
    const text = `does not answer: ${answer.text}`
    return {
      ...base,
      outcome: 'missing',
      text,
      mend: `curl -k ${new URL('/api2/json/version', entry.url)} from here; on the node: systemctl status pveproxy`,
    }
  }
  if (answer.status === 401) {
    const [user = '', id = ''] = entry.tokenId.split('!')
    const text = `does not know the token ${entry.tokenId}, or not with this secret (401)`
    return {
      ...base,
      outcome: 'missing',
      text,
      mend: `pveum user token list ${user}; anew: pveum user token add ${user} ${id} --privsep 1`,
    }
  }
  const text = answer.status === 200 ? 'does not answer like Proxmox VE' : `answers ${answer.status} ${answer.reason}`
  return { ...base, outcome: 'missing', text, mend: 'correct its url: https://NODE:8006' }
}

async function clockChecks(
  transport: Transport,
  node: string,
  nowMs: () => Promise<number>,
): Promise<readonly Check[]> {
  const answer = await ask(transport, `/nodes/${encodeURIComponent(node)}/time`)
  const seen = parsed(answer, timeAnswer)
  // Without the right to look nothing is known of its clock: the rights are another check.
  if (seen === undefined) return []
  const offByS = seen.data.time - (await nowMs()) / 1000
  const base = { area: 'clock', subject: node } as const
  if (Math.abs(offByS) <= CLOCK_LIMIT_S)
    return [{ ...base, outcome: 'fine', text: 'shows the same time as this machine' }]
  const text = `its clock is ${Math.abs(offByS).toFixed(0)} s ${offByS > 0 ? 'ahead of' : 'behind'} this machine’s`
  return [{ ...base, outcome: 'dangerous', text, mend: 'on the one that is wrong: chronyc tracking; chronyc makestep' }]
}

/** While a node is drained its own API is left alone. */
function enoughNodes(seen: readonly EntrySeen[]): readonly Check[] {
  const nodes = new Set(seen.map(({ node }, index) => node ?? `entry point ${index + 1}`))
  if (nodes.size > 1) return []
  return [
    {
      area: 'proxmox',
      subject: 'entry points',
      outcome: 'dangerous',
      text: `only ${[...nodes].join('')}: nobody could be asked while that node is drained, and nothing tells us when it dies`,
      stages: ['drain', 'isolate', 'repair', 'verify', 'reintegrate'],
      mend: 'add an entry point on another node under proxmox.entryPoints',
    },
  ]
}
