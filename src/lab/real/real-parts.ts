/** The real part of a lab in one call: Ceph, BMCs, a verifying client, joined to the simulated world, and what the drivers need to know. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeName, Vmid } from '#domain/ids'
import type { LabWorld } from '#lab/world/lab-world'
import { attachReal } from './attach.ts'
import { type RealBmc, startRealBmcs } from './bmcs.ts'
import { type RealCeph, startRealCeph, storeOf } from './ceph-cluster.ts'
import type { CephxUser } from './ceph-conf.ts'
import { type JoinedGuests, joinGuests } from './guests/join-guests.ts'
import { endRealGuests } from './guests/real-guests.ts'
import { daemonsIn } from './processes.ts'
import { startVerifyingClient, type VerifyReport } from './verifying-client.ts'

export type RealParts = {
  /** For drivers/ceph, but for the clock. */
  readonly ceph: {
    readonly command: readonly string[]
    readonly conf: string
    readonly keyring: string
    readonly name: string
    readonly stopOsds: readonly string[]
  }
  /** For drivers/ipmi, by node. */
  readonly ipmi: Readonly<Record<string, Pick<RealBmc, 'host' | 'port' | 'user' | 'password' | 'guidEncoding'>>>
  readonly cluster: RealCeph
  /** Where some guests are real. */
  readonly guests?: JoinedGuests
  /** What a client of the cluster saw so far. */
  report(): Promise<VerifyReport>
  /** Ends every daemon; answers the client's last report. */
  close(): Promise<VerifyReport>
}

export type RealPartsOptions = {
  /** The world of `withoutCeph(snapshot)`. */
  readonly lab: LabWorld
  readonly onChange: () => void
  readonly dir: string
  /** CEPHX_USER and cephxCaps of drivers/ceph. */
  readonly cephClient: CephxUser
  readonly firstBmcPort?: number
  /** Guests of the world that are real, each on the node where the world runs it; `cacheDir` keeps their kernel. */
  readonly guests?: { readonly vmids: readonly Vmid[]; readonly cacheDir: string }
  readonly log?: (line: string) => void
}

/** A mini cluster stays mini, however many nodes the world has; a pool of three copies needs four hosts to lose one and stay whole. */
const HOSTS_LIMIT = 8
const PARTS = ['client', 'bmc', 'ceph'] as const
const GUESTS = 'guests'

export async function startRealParts(options: RealPartsOptions): Promise<RealParts> {
  const { lab, onChange, dir, cephClient, firstBmcPort, log = () => undefined } = options
  const nodes = Object.values(lab.state.nodes)
  const hosts: readonly NodeName[] = nodes.slice(0, HOSTS_LIMIT).map(({ name }) => name)
  const ceph = await startRealCeph({ dir: join(dir, 'ceph'), hosts, client: cephClient, log })
  const ends: (() => Promise<unknown>)[] = [() => ceph.stop()]
  // They boot while the BMCs come up.
  const joining = startGuests(options, ceph)
  ends.unshift(() => joining.then((guests) => guests?.stop()))
  try {
    const bmcs = await startRealBmcs({
      dir: join(dir, 'bmc'),
      nodes: nodes.map(({ name, systemUuid, serial, fans }) => ({
        name,
        systemUuid,
        serial,
        fans: fans.map(({ part }) => part),
      })),
      ...(firstBmcPort === undefined ? {} : { firstPort: firstBmcPort }),
    })
    ends.unshift(() => bmcs.stop())
    log(`${nodes.length} BMCs answer`)
    const client = await startVerifyingClient(ceph, join(dir, 'client'))
    const attached = attachReal({ lab, onChange, ceph, bmcs })
    ends.unshift(() => attached.detach())
    const guests = await joining
    return {
      ...(guests === undefined ? {} : { guests }),
      ceph: {
        command: ['ceph'],
        conf: ceph.conf,
        keyring: ceph.clientKeyring,
        name: ceph.clientName,
        stopOsds: ceph.stopOsdCommand,
      },
      ipmi: Object.fromEntries(bmcs.byNode),
      cluster: ceph,
      report: client.report,
      close: async () => {
        const last = await client.stop()
        await endAll(ends)
        await rm(dir, { recursive: true, force: true })
        return last
      },
    }
  } catch (error) {
    await endAll(ends)
    throw error
  }
}

function startGuests(options: RealPartsOptions, ceph: RealCeph): Promise<JoinedGuests | undefined> {
  const { lab, onChange, dir, guests, log = () => undefined } = options
  if (guests === undefined || guests.vmids.length === 0) return Promise.resolve(undefined)
  const joining = joinGuests({ lab, onChange, ceph, dir: join(dir, GUESTS), log, ...guests })
  // Its failure is told where it is waited for.
  joining.catch(() => undefined)
  return joining
}

/** Every one is ended, whatever another says; the first trouble is told afterwards. */
async function endAll(ends: readonly (() => Promise<unknown>)[]): Promise<void> {
  const troubles: unknown[] = []
  for (const end of ends) await end().catch((trouble: unknown) => troubles.push(trouble))
  if (troubles.length > 0) throw troubles[0]
}

/** For a lab that was killed: ends what its state folder still knows to be running, and takes the folder away. */
export async function endRealParts(dir: string): Promise<void> {
  await endRealGuests(join(dir, GUESTS))
  for (const part of PARTS) await daemonsIn(join(dir, part)).endAll()
  await rm(storeOf(join(dir, 'ceph')), { recursive: true, force: true })
  await rm(dir, { recursive: true, force: true })
}
