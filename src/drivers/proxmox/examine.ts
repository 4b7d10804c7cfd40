/** What a doctor sees of Proxmox before any maintenance: ways in, rights, hidden guests, clocks, networks. It only looks. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { STAGES } from '#domain/maintenance'
import type { Clock } from '#ports/clock'
import { type ProxmoxClient, proxmoxClient } from './client.ts'
import { clusterChecks } from './examine-cluster.ts'
import { type EntrySeen, examineEntry } from './examine-entry.ts'
import { hiddenChecks, rightsChecks } from './examine-rights.ts'
import { clusterMemory, lookAtCluster } from './look-cluster.ts'
import { sightOf } from './sight.ts'
import { type EntryPoint, type Transport, tlsTransport } from './transport.ts'
import * as wire from './wire.ts'

export type ExamineConfig = {
  readonly entryPoints: readonly EntryPoint[]
  readonly clock: Clock
  /** Ceph is reached through Proxmox alone, so that the token needs Sys.Modify; elsewhere it is more than it needs. */
  readonly cephByApi: boolean
  readonly readDeadlineMs?: number
  readonly transport?: (entry: EntryPoint) => Transport
}

/** Shorter than a drain's: somebody sits in front of it. */
const READ_DEADLINE_MS = 8_000

/** Never throws for what it finds wrong: that is a Check. */
export async function examineProxmox(config: ExamineConfig): Promise<readonly Check[]> {
  const { clock, readDeadlineMs = READ_DEADLINE_MS, transport = tlsTransport } = config
  const entries = await Promise.all(
    config.entryPoints.map((point) => examineEntry({ point, clock, deadlineMs: readDeadlineMs, transport })),
  )
  const checks = [...entries.flatMap((entry) => entry.checks), ...waysIn(config.entryPoints, entries)]
  const open = entries.filter((entry) => entry.knowsToken)
  if (open.length === 0) return checks
  const tokens = Map.groupBy(open, ({ point }) => point.tokenId)
  for (const [tokenId, known] of tokens) {
    const client = proxmoxClient({ entryPoints: known.map(({ point }) => point), readDeadlineMs, transport })
    try {
      checks.push(...(await examineToken(client, { tokenId, cephByApi: config.cephByApi, nowMs: await clock.nowMs() })))
    } finally {
      await client.close()
    }
  }
  return unique(checks)
}

/** Two tokens see the same cluster: what both say is said once. */
function unique(checks: readonly Check[]): readonly Check[] {
  const seen = new Map(checks.map((check) => [`${check.subject}: ${check.text}`, check] as const))
  return [...seen.values()]
}

/** A node's drain never goes through its own API: with one way in, that node cannot be drained. */
function waysIn(points: readonly EntryPoint[], entries: readonly EntrySeen[]): readonly Check[] {
  const about = { area: 'proxmox', subject: 'entry points' } as const
  const open = entries.filter((entry) => entry.knowsToken)
  if (open.length === 0) {
    const text = `none of ${points.length} entry points lets us in: nothing can be done`
    return [{ ...about, outcome: 'missing', text, stages: STAGES }]
  }
  const clusters = [...new Set(open.flatMap(({ cluster }) => cluster ?? []))]
  if (clusters.length > 1) {
    const text = `they lead to different clusters: ${clusters.join(', ')}`
    const mend = 'Give each cluster a configuration of its own.'
    return [{ ...about, outcome: 'dangerous', text, stages: STAGES, mend }]
  }
  const nodes = new Set(open.map(({ point, node }) => node ?? point.node ?? point.url))
  if (nodes.size < 2) {
    const [only] = nodes
    const text = `all of them are on ${only}: its own drain has no other way in, and when it dies there is none`
    const mend = 'Add an entry point on another node under proxmox.entryPoints.'
    return [{ ...about, outcome: 'missing', text, stages: ['drain', 'isolate'], mend }]
  }
  return [{ ...about, outcome: 'fine', text: `${nodes.size} nodes let us in: ${[...nodes].sort().join(', ')}` }]
}

async function examineToken(
  client: ProxmoxClient,
  token: { readonly tokenId: string; readonly cephByApi: boolean; readonly nowMs: number },
): Promise<readonly Check[]> {
  const checks: Check[] = []
  try {
    const call = { doing: "read the token's rights", path: '/access/permissions' }
    const permissions = await client.get(wire.permissions, call)
    checks.push(...rightsChecks(permissions, token))
    const sight = sightOf(client, undefined)
    const cluster = await lookAtCluster(client, { sight, kept: clusterMemory(), nowMs: token.nowMs })
    checks.push(...clusterChecks(cluster))
    checks.push(...(await hiddenChecks({ sight, cluster, permissions, tokenId: token.tokenId })))
    checks.push(...sight.blind.filter((line) => !/the token lacks/.test(line)).map(unread))
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    checks.push(unread(error.message))
  }
  return checks
}

/** One question that went without an answer: those that need it are blind until it has one. */
const unread = (line: string): Check => ({
  area: 'proxmox',
  subject: 'the look at the cluster',
  outcome: 'missing',
  text: line.replace(/^proxmox: /, ''),
  stages: ['plan', 'drain', 'isolate', 'reintegrate'],
})
