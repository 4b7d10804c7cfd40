/** What `ceph … --format json` answers, as far as we read it, and its translation to one observation. Pure. */
import { z } from 'zod'
import type { CephObservation, CephService, Osd, PlacementGroups, Pool } from '#domain/ceph'
import { type NodeName, nodeName } from '#domain/ids'

const count = z.number().int().min(0)
const bit = z.literal([0, 1])

const healthCheck = z.object({ summary: z.object({ message: z.string(), count: count.optional() }) })

const daemon = z.object({ metadata: z.object({ hostname: z.string().optional() }).optional() })

export const statusAnswer = z.object({
  fsid: z.string(),
  health: z.object({ status: z.string(), checks: z.record(z.string(), healthCheck) }),
  quorum_names: z.array(z.string()),
  pgmap: z
    .object({
      // Absent where no pool exists yet.
      pgs_by_state: z.array(z.object({ state_name: z.string(), count })).default([]),
      num_pgs: count,
    })
    // Each PG is in one state: more states than PGs would make any of them look clean.
    .refine(({ pgs_by_state, num_pgs }) => pgs_by_state.reduce((sum, one) => sum + one.count, 0) <= num_pgs),
  // Every rank of every file system with the metadata server that holds it; whoever is not among them stands by.
  fsmap: z.object({ by_rank: z.array(z.object({ name: z.string(), status: z.string() })) }).optional(),
  // `daemons` mixes daemons with a text under the key 'summary'.
  servicemap: z
    .object({
      services: z.record(z.string(), z.object({ daemons: z.record(z.string(), z.union([z.string(), daemon])) })),
    })
    .default({ services: {} }),
})

export const osdDumpAnswer = z.object({
  fsid: z.string(),
  flags_set: z.array(z.string()),
  osds: z.array(z.object({ osd: count, up: bit, in: bit, state: z.array(z.string()) })),
  pools: z.array(z.object({ pool_name: z.string(), size: count, min_size: count, crush_rule: count })),
  crush_node_flags: z.record(z.string(), z.array(z.string())).default({}),
})

export const osdTreeAnswer = z.object({
  nodes: z.array(
    z.object({
      id: z.number().int(),
      name: z.string(),
      type: z.string(),
      children: z.array(z.number().int()).optional(),
    }),
  ),
})

export const crushRulesAnswer = z.array(
  z.object({ rule_id: count, steps: z.array(z.object({ op: z.string(), type: z.string().optional() })) }),
)

export const quorumAnswer = z.object({
  quorum_names: z.array(z.string()),
  monmap: z.object({ mons: z.array(z.object({ name: z.string() })) }),
})

export const mgrStatAnswer = z.object({
  available: z.boolean(),
  active_name: z.string(),
  num_standby: count,
})

/** Kind of daemon to host name to daemon names: {"mon":{"pve1":["pve1"]}}. */
export const nodeLsAnswer = z.record(z.string(), z.record(z.string(), z.array(z.union([z.string(), z.number()]))))

/** Answered on standard output with exit code 0 (yes) and 16 (no) alike. */
export const okToStopAnswer = z.object({
  ok_to_stop: z.boolean(),
  osds: z.array(count),
  num_not_ok_pgs: count.optional(),
  bad_become_inactive: z.array(z.string()).optional(),
})

export type Answers = {
  readonly status: z.infer<typeof statusAnswer>
  readonly osdDump: z.infer<typeof osdDumpAnswer>
  readonly osdTree: z.infer<typeof osdTreeAnswer>
  readonly crushRules: z.infer<typeof crushRulesAnswer>
  readonly quorum: z.infer<typeof quorumAnswer>
  readonly mgrStat: z.infer<typeof mgrStatAnswer>
  readonly nodeLs: z.infer<typeof nodeLsAnswer>
}

export function toObservation(answers: Answers, observedAtMs: number): CephObservation {
  const hosts = hostsOf(answers.osdTree)
  const hostOfDaemon = (kind: string, name: string) => daemonHost(answers, new Set(hosts.values()), kind, name)
  const { active_name: activeMgr, available } = answers.mgrStat
  return {
    observedAtMs,
    fsid: answers.status.fsid,
    osds: osdsOf(answers.osdDump, hosts),
    pools: poolsOf(answers),
    placementGroups: placementGroupsOf(answers.status),
    monitors: answers.quorum.monmap.mons.map(({ name }) => ({
      host: hostOfDaemon('mon', name),
      inQuorum: answers.quorum.quorum_names.includes(name),
    })),
    ...(available && activeMgr !== '' ? { activeMgrHost: hostOfDaemon('mgr', activeMgr) } : {}),
    services: servicesOf(answers, hostOfDaemon),
    flags: flagsOf(answers.osdDump),
    hostFlags: hostFlagsOf(answers.osdDump),
    fullness: fullnessOf(answers.status),
    slowOpsCount: slowOpsOf(answers.status),
  }
}

/** An OSD without a place in CRUSH holds no data of any pool; it is shown all the same, under this name. */
const NO_HOST = '(no host)'

function hostsOf(tree: Answers['osdTree']): Map<number, string> {
  const hosts = new Map<number, string>()
  for (const bucket of tree.nodes) {
    if (bucket.type !== 'host') continue
    for (const child of bucket.children ?? []) hosts.set(child, bucket.name)
  }
  return hosts
}

const osdsOf = (dump: Answers['osdDump'], hosts: ReadonlyMap<number, string>): readonly Osd[] =>
  dump.osds.map(({ osd, up, in: isIn }) => ({
    id: osd,
    host: nodeName(hosts.get(osd) ?? NO_HOST),
    up: up === 1,
    in: isIn === 1,
  }))

/**
 * Proxmox names monitors and managers after their node; a daemon that bears the name of a CRUSH host is taken to live there.
 * Others (cephadm's 'node1.abcdef', a monitor 'a') are looked up by the host name that they told the cluster.
 */
function daemonHost({ nodeLs }: Answers, crushHosts: ReadonlySet<string>, kind: string, name: string): NodeName {
  if (crushHosts.has(name)) return nodeName(name)
  for (const [host, names] of Object.entries(nodeLs[kind] ?? {})) {
    if (names.includes(name)) return nodeName(host)
  }
  return nodeName(name)
}

function poolsOf({ osdDump, crushRules }: Answers): readonly Pool[] {
  const domainOf = (id: number) =>
    crushRules.find((rule) => rule.rule_id === id)?.steps.find((step) => step.op.startsWith('choose'))?.type
  return osdDump.pools.map((pool) => ({
    name: pool.pool_name,
    size: pool.size,
    minSize: pool.min_size,
    failureDomain: domainOf(pool.crush_rule) ?? 'unknown',
  }))
}

/** A PG's state is a set of words: 'active+undersized+degraded'. A word decides, so states of newer releases fit too. */
function placementGroupsOf({ pgmap }: Answers['status']): PlacementGroups {
  const states = pgmap.pgs_by_state.map(({ state_name, count }) => ({ words: new Set(state_name.split('+')), count }))
  const countOf = (holds: (words: ReadonlySet<string>) => boolean) =>
    states.reduce((sum, { words, count }) => sum + (holds(words) ? count : 0), 0)
  const any = (...wanted: readonly string[]) => countOf((words) => wanted.some((word) => words.has(word)))
  return {
    total: pgmap.num_pgs,
    clean: countOf((words) => words.has('active') && words.has('clean') && !words.has('inconsistent')),
    // Undersized PGs have a copy too few, whether or not an object is in them.
    degraded: any('degraded', 'undersized'),
    misplaced: any('remapped'),
    recovering: any(
      'recovering',
      'recovery_wait',
      'backfilling',
      'backfill_wait',
      'forced_recovery',
      'forced_backfill',
    ),
    inconsistent: any('inconsistent'),
  }
}

const KIND_OF_SERVICE: Readonly<Record<string, string>> = { 'tcmu-runner': 'iscsi', ganesha: 'nfs' }
const NOT_SERVICES: ReadonlySet<string> = new Set(['mon', 'mgr', 'osd', 'mds'])

function servicesOf(
  { status, nodeLs }: Answers,
  hostOfDaemon: (kind: string, name: string) => NodeName,
): readonly CephService[] {
  const metadataServers = Object.values(nodeLs.mds ?? {})
    .flat()
    .map((name) => ({ kind: 'mds', host: hostOfDaemon('mds', String(name)), ...roleOf(status, String(name)) }))
  const gateways = Object.entries(status.servicemap.services)
    .filter(([kind]) => !NOT_SERVICES.has(kind))
    .flatMap(([kind, { daemons }]) =>
      Object.values(daemons).flatMap((one) =>
        typeof one === 'string'
          ? []
          : [{ kind: KIND_OF_SERVICE[kind] ?? kind, host: nodeName(one.metadata?.hostname ?? 'unknown') }],
      ),
    )
  return [...metadataServers, ...gateways]
}

/** "up:standby-replay" follows a rank and works for nobody yet. */
function roleOf({ fsmap }: Answers['status'], name: string): Pick<CephService, 'role'> {
  if (fsmap === undefined) return {}
  const works = fsmap.by_rank.some((rank) => rank.name === name && !rank.status.includes('standby'))
  return { role: works ? 'active' : 'standby' }
}

/** Always set on any cluster of today; they say nothing to an operator. */
const HOUSEKEEPING = /^(sortbitwise|recovery_deletes|purged_snapdirs|pglog_hardlimit|require_.*)$/

function flagsOf(dump: Answers['osdDump']): readonly string[] {
  const flags = dump.flags_set.filter((flag) => !HOUSEKEEPING.test(flag))
  // `osd set pause` shows as pauserd and pausewr.
  return flags.includes('pauserd') || flags.includes('pausewr') ? [...flags, 'pause'] : flags
}

const OSD_FLAGS: ReadonlySet<string> = new Set(['noup', 'nodown', 'noin', 'noout'])

/** By CRUSH node (a host, but somebody may flag a rack), and by single OSD as 'osd.2'. Not to be found in `osd tree`. */
export function hostFlagsOf(dump: Answers['osdDump']): Readonly<Record<string, readonly string[]>> {
  const single = dump.osds.map(({ osd, state }) => [`osd.${osd}`, state.filter((word) => OSD_FLAGS.has(word))] as const)
  return { ...dump.crush_node_flags, ...Object.fromEntries(single.filter(([, flags]) => flags.length > 0)) }
}

function fullnessOf({ health }: Answers['status']): CephObservation['fullness'] {
  const has = (suffix: string) => `OSD_${suffix}` in health.checks || `POOL_${suffix}` in health.checks
  if (has('FULL')) return 'full'
  if (has('BACKFILLFULL')) return 'backfillfull'
  return has('NEARFULL') ? 'nearfull' : 'ok'
}

/** "3 slow ops, oldest one blocked for 35 sec, daemons [osd.1,osd.2] have slow ops." */
function slowOpsOf({ health }: Answers['status']): number {
  const summary = health.checks.SLOW_OPS?.summary
  if (summary === undefined) return 0
  const told = Number.parseInt(summary.message, 10)
  return Number.isNaN(told) ? Math.max(summary.count ?? 1, 1) : told
}
