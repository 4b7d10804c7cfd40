/** A process that serves a fleet's BMCs by Redfish: `fork('fleet.ts', [count, delayMs])`, whose first message is a ServedFleet. */
import { node, smallSnapshot } from '#lab/testing/small-world'
import { serveRedfish } from '#lab/wire/redfish/redfish-server'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'

export type ServedFleet = {
  readonly urls: Readonly<Record<string, string>>
  readonly user: string
  readonly password: string
  readonly fingerprint256: string
}

const [, , count = '1', delayMs = '0'] = process.argv
const snapshot = smallSnapshot()
const nodes = Array.from({ length: Number(count) }, (_, index) => node(`pve${index + 1}`))
const world = createWorld({
  snapshot: { ...snapshot, ceph: 'none', cluster: { ...snapshot.cluster, nodes, guests: [] } },
  seed: 1,
  startAtMs: Date.UTC(2026, 10, 22, 8),
})
if (Number(delayMs) > 0) {
  world.apiFaults.push({ kind: 'api-slow', api: 'bmc', rate: 1, status: 0, delayMs: Number(delayMs) })
}
const lab = await serveRedfish({ lab: new LabWorld(world), onChange: () => undefined })
const { urls, user, password, fingerprint256 } = lab
process.send?.({ urls, user, password: password.reveal(), fingerprint256 } satisfies ServedFleet)
process.on('disconnect', () => process.exit(0))
