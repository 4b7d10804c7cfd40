/** What is rehearsed: a snapshot file, or the live cluster of a configuration, which is looked at and never touched. */
import type { PlanPolicy, StoryPolicy } from '#domain/policy'
import type { Snapshot } from '#domain/snapshot'
import { findDrainFaults, parsePolicy, parseSnapshot } from '#drivers/snapshot/snapshot-file'
import type { Ports } from '#ports/all'
import { BadInput } from '../bad-input.ts'
import { readConfig } from '../config/read.ts'
import { makeDrivers } from '../drivers.ts'
import { readAll } from '../plan-files.ts'

export type Read = {
  readonly snapshot: Snapshot
  readonly policy?: StoryPolicy
  /** What was not seen, or was assumed: shown with the result. */
  readonly assumptions: readonly string[]
}

/** Throws BadInput with every fault, one line each. */
export async function readFromSnapshot(paths: {
  readonly snapshot: string
  readonly policy?: string
  readonly drain: string
}): Promise<Read> {
  const [snapshotText = '', policyText] = await textsOf([paths.snapshot, paths.policy])
  const parsed = parseSnapshot(snapshotText, policyText)
  if (!parsed.ok) throw new BadInput(parsed.faults)
  refuseUnknown(parsed.snapshot, paths.drain)
  return { snapshot: parsed.snapshot, assumptions: parsed.assumptions }
}

/** One look through the configured drivers: GETs and `ceph status` alone. Throws BadInput, or a DriverError when it cannot be seen. */
export async function readFromCluster(paths: {
  readonly config: string
  readonly policy?: string
  readonly drain: string
}): Promise<Read> {
  const config = readConfig(paths.config)
  const [policyText] = await textsOf([paths.policy])
  const plan = policyOver(config.policy.plan, policyText)
  const drivers = makeDrivers(config, paths.config)
  try {
    const snapshot = await lookAt(drivers, plan)
    refuseUnknown(snapshot, paths.drain)
    const { blind } = snapshot.cluster
    return { snapshot, policy: config.policy, assumptions: blind.map((text) => `not seen: ${text}`) }
  } finally {
    await drivers.close()
  }
}

/** The cluster as it is now, as a file would tell of it. */
export async function lookAt(
  { hypervisor, storage }: Pick<Ports, 'hypervisor' | 'storage'>,
  policy: PlanPolicy,
): Promise<Snapshot> {
  const [cluster, ceph] = await Promise.all([hypervisor.observe(), storage.observe()])
  return { cluster, ceph, policy }
}

function policyOver(own: PlanPolicy, text: string | undefined): PlanPolicy {
  if (text === undefined) return own
  const parsed = parsePolicy(text, own)
  if (!parsed.ok) throw new BadInput(parsed.faults)
  return parsed.policy
}

function refuseUnknown({ cluster }: Snapshot, drain: string): void {
  const faults = findDrainFaults(cluster, [drain])
  if (faults.length > 0) throw new BadInput(faults)
}

async function textsOf(paths: readonly (string | undefined)[]): Promise<readonly (string | undefined)[]> {
  const read = await readAll(paths)
  if (!read.ok) throw new BadInput(read.faults)
  return read.texts
}
