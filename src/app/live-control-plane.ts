/** The running control plane behind its facade: the engine, the journal, the ports and the watch, and nothing that decides. */
import { createHash } from 'node:crypto'
import { DriverError } from '#domain/driver-error'
import type { JournalRow } from '#domain/event'
import { type Finding, findingByWord } from '#domain/finding'
import { type ClusterName, type CustomerId, type MaintenanceId, maintenanceId } from '#domain/ids'
import type { Json } from '#domain/json'
import {
  type ControlMessage,
  DEFINITION_VERSION,
  type MaintenanceInput,
  type WorkOrderAnswer,
} from '#domain/maintenance'
import type { StoryPolicy } from '#domain/policy'
import { viewOf } from '#domain/view'
import type { Ports } from '#ports/all'
import type { SagaEngine } from '#ports/saga'
import { MAINTENANCE_SAGA } from '#story/maintenance'
import { type Owed, owedTogether } from '#story/owed-homes'
import { INBOX } from '#story/story'
import type {
  Accepted,
  ControlPlane,
  MaintenanceHead,
  Release,
  ReleaseOutcome,
  StartOutcome,
  StartRequest,
} from './control-plane.ts'
import { liveRehearsals } from './rehearsal/live-rehearsals.ts'
import { reporting } from './reporting.ts'
import { type WitnessParts, witnessDesk } from './witness/desk.ts'

export type LiveParts = {
  readonly cluster: ClusterName
  readonly engine: SagaEngine
  readonly ports: Ports
  readonly policy: StoryPolicy
  readonly findings: () => Promise<readonly Finding[]>
  /** Ids of all maintenances ever, oldest first. */
  readonly listMaintenances: () => Promise<readonly MaintenanceId[]>
  readonly subscribe: (listener: (row: JournalRow) => void) => () => void
  readonly readPage: (id: MaintenanceId, customer: CustomerId) => Promise<{ path: string; html: string } | undefined>
  readonly keepPhoto?: ControlPlane['keepPhoto']
  readonly evidence?: ControlPlane['evidence']
  readonly witness?: Omit<WitnessParts, 'views'>
  readonly simulated: boolean
  readonly alerts?: ControlPlane['alerts']
}

export function liveControlPlane(
  parts: LiveParts,
): ControlPlane & { startFor(finding: Finding, by: string): Promise<StartOutcome> } {
  const { ports } = parts
  const reports = reporting({
    ...ports,
    listMaintenances: parts.listMaintenances,
    guests: async () => (await ports.hypervisor.observe()).guests,
  })
  const head = async (id: MaintenanceId): Promise<MaintenanceHead | undefined> => {
    const rows = await ports.journal.read(id)
    return rows.length === 0 ? undefined : { id, cluster: parts.cluster, view: viewOf(rows) }
  }
  const maintenances = async () => {
    const heads: MaintenanceHead[] = []
    for (const id of await parts.listMaintenances()) {
      const one = await head(id)
      if (one !== undefined) heads.unshift(one)
    }
    return heads
  }
  const views = async () => (await maintenances()).map(({ view }) => view)
  return {
    maintenances,
    maintenance: head,
    journal: (id, afterSeq) => ports.journal.read(id, afterSeq),
    subscribe: parts.subscribe,
    control: (id, control, key) => send(parts, id, { key, control }),
    answerWorkOrder: (id, answer, key) => send(parts, id, { key, answer }),
    start: (request, key) => startByWord(parts, request, key),
    startFor: (finding, by) => startMaintenance(parts, finding, by, `finding ${finding.node} ${finding.atMs}`),
    release: (id, release, key) => releaseStuck(parts, id, release, key),
    findings: parts.findings,
    report: parts.readPage,
    reportAs: reports.report,
    monthReports: reports.month,
    publicDraft: reports.draft,
    ...(parts.keepPhoto === undefined ? {} : { keepPhoto: parts.keepPhoto }),
    rehearse: liveRehearsals(parts),
    ...(parts.evidence === undefined ? {} : { evidence: parts.evidence }),
    ...(parts.witness === undefined ? {} : { witness: witnessDesk({ ...parts.witness, views }) }),
    nowMs: () => ports.clock.nowMs(),
    ...(parts.alerts === undefined ? {} : { alerts: parts.alerts }),
    ...(parts.simulated ? { lab: { simulated: true } as const } : {}),
  }
}

/** Only what is stuck, or broke by a bug of ours: what still runs is aborted instead, and takes itself back. */
async function releaseStuck(
  parts: LiveParts,
  id: MaintenanceId,
  { by, reason }: Release,
  key: string,
): Promise<ReleaseOutcome> {
  const status = await parts.engine.status(id)
  if (status === undefined) return { is: 'unknown-maintenance' }
  if (status.is === 'running') return { is: 'refused', text: `${id} still runs: abort it, and it takes itself back` }
  const text = `${by} takes over: the hold on cluster and Ceph is given back (${reason})`
  await parts.ports.journal.append({ maintenance: id, key: `release/${key}`, event: { kind: 'said', text } })
  await parts.engine.release(id)
  return { is: 'released' }
}

type Letter = { readonly key: string } & ({ readonly control: ControlMessage } | { readonly answer: WorkOrderAnswer })

async function send(parts: LiveParts, id: MaintenanceId, letter: Letter): Promise<Accepted> {
  if ((await parts.engine.status(id)) === undefined) return { is: 'unknown-maintenance' }
  await parts.engine.send(id, INBOX, letter as unknown as Json, letter.key)
  return { is: 'accepted' }
}

async function startByWord(parts: LiveParts, request: StartRequest, key: string): Promise<StartOutcome> {
  const atMs = await parts.ports.clock.nowMs()
  const { node, part = 'node', reason: text } = request
  const finding = findingByWord({ atMs, node, part, text })
  return startMaintenance(parts, finding, request.by, key)
}

/** One maintenance at a time in a cluster and in a Ceph: the engine holds both keys until it ends. */
async function startMaintenance(parts: LiveParts, finding: Finding, by: string, key: string): Promise<StartOutcome> {
  const seen = await lookBefore(parts, finding)
  if (seen.is === 'refused') return seen
  const { node } = finding
  const { fsid } = seen
  const owed = await owedBefore(parts)
  const id = idFor(node, key)
  const input: MaintenanceInput = {
    definitionVersion: DEFINITION_VERSION,
    id,
    cluster: parts.cluster,
    node,
    finding,
    requestedBy: by,
    policy: parts.policy,
    ...(owed.length === 0 ? {} : { owed }),
  }
  const exclusive = [`cluster:${parts.cluster}`, ...(fsid === undefined ? [] : [`ceph:${fsid}`])]
  const answer = await parts.engine.start(MAINTENANCE_SAGA, id, input as unknown as Json, { exclusive })
  if (answer.is === 'started') return { is: 'started', id }
  if (answer.is === 'exists') return { is: 'exists', id }
  const what = answer.key.startsWith('ceph:') ? 'this Ceph' : 'this cluster'
  const text = `maintenance ${answer.by} runs in ${what} already; one at a time, or two failure domains would be away`
  return { is: 'refused', text, lifts: `it ends, or is aborted: coulisse abort ${answer.by}` }
}

/** What is older was settled by people, or is where it belongs by now. */
const OWED_FOR_MS = 7 * 24 * 3_600_000
const OWED_MAINTENANCES_LIMIT = 20

/** Guests whom an earlier maintenance left away from home: this one brings them there if it moves them. */
async function owedBefore({ ports, listMaintenances }: LiveParts): Promise<Owed> {
  const sinceMs = (await ports.clock.nowMs()) - OWED_FOR_MS
  const ids = (await listMaintenances()).slice(-OWED_MAINTENANCES_LIMIT)
  const journals = await Promise.all(ids.map((id) => ports.journal.read(id)))
  return owedTogether(journals.filter((rows) => (rows.at(-1)?.atMs ?? 0) >= sinceMs))
}

type Refused = Extract<StartOutcome, { is: 'refused' }>

/** A node that is not there, or a cluster that cannot be seen (a wrong token, a network that is away), gets no maintenance. */
async function lookBefore(
  { ports }: LiveParts,
  { node }: Finding,
): Promise<Refused | { readonly is: 'seen'; readonly fsid: string | undefined }> {
  try {
    const [cluster, ceph] = await Promise.all([ports.hypervisor.observe(), ports.storage.observe()])
    const known = cluster.nodes.map(({ name }) => name)
    if (!known.includes(node)) {
      const lifts = `name one of ${known.join(', ')}`
      return { is: 'refused', text: `cluster ${cluster.name} has no node ${node}`, lifts }
    }
    // Where it stands and who it is: without both nobody could be sent there.
    await Promise.all([ports.inventory.place(node), ports.inventory.dmi(node)])
    return { is: 'seen', fsid: ceph === 'none' ? undefined : ceph.fsid }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const lifts =
      error.retry === 'never'
        ? 'correct what it names (token, rights, certificate, command, node) in the configuration, and start again'
        : 'it answers again; then start again'
    return { is: 'refused', text: `nothing was touched, for ${node} cannot be looked at: ${error.message}`, lifts }
  }
}

/** The same key gives the same id, on whatever worker: starting twice is starting once. */
function idFor(node: string, key: string): MaintenanceId {
  const mark = createHash('sha256').update(key).digest('hex').slice(0, 8)
  return maintenanceId(`${node}-${mark}`)
}
