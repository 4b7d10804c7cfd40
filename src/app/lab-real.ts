/** The real part of the lab's process: Ceph and BMCs beneath the simulated world, and what a client of that Ceph saw. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Vmid } from '#domain/ids'
import type { Snapshot } from '#domain/snapshot'
import { CEPHX_USER, cephxCaps } from '#drivers/ceph/cephx-caps'
import type { LabProcess } from '#lab/keeper/lab-process'
import { probeRoute } from '#lab/keeper/routes'
import { withoutCeph } from '#lab/real/attach'
import { withRealGuests } from '#lab/real/guests/as-real'
import type { JoinedGuests } from '#lab/real/guests/join-guests'
import { startRealParts } from '#lab/real/real-parts'
import { probeReading } from '#lab/world/queries'

export type RealReady = {
  readonly ceph: Readonly<Record<string, unknown>>
  readonly ipmi: readonly {
    readonly node: string
    readonly host: string
    readonly port: number
    readonly user: string
    readonly password: string
    readonly guidEncoding: 'smbios'
  }[]
}

export type RealLab = { readonly ready: RealReady; close(): Promise<void> }

/** Some of the world's guests may be real too. */
export type RealOptions = { readonly dir: string; readonly guests: readonly Vmid[] }

/** What the world is made of where Ceph and these guests are real. */
export const snapshotForReal = (snapshot: Snapshot, guests: readonly Vmid[]): Snapshot =>
  withRealGuests(withoutCeph(snapshot), guests)

/** What need not be fetched again: nothing of a story, so `demo --clean` leaves it. */
export const cacheDir = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'coulisse')

/**
 * Adds `GET /real` and `GET /real/guests` to the control server, and lets the real prober answer for real guests. Everything is
 * ended and removed by `close`.
 */
export async function startRealLab(
  process: LabProcess,
  { dir, guests }: RealOptions,
  log: (line: string) => void,
): Promise<RealLab> {
  const parts = await startRealParts({
    lab: process.lab,
    dir: join(dir, 'real'),
    cephClient: { name: CEPHX_USER, caps: cephxCaps },
    onChange: process.beforeAnswer,
    guests: { vmids: guests, cacheDir: cacheDir() },
    log,
  })
  addGuestRoutes(process, parts.guests)
  process.control.on('GET /real', async () => ({ status: 200, body: await parts.report() }))
  return {
    ready: {
      ceph: parts.ceph,
      ipmi: Object.entries(parts.ipmi).map(([node, bmc]) => ({
        node,
        host: bmc.host,
        port: bmc.port,
        user: bmc.user,
        password: bmc.password.reveal(),
        guidEncoding: bmc.guidEncoding,
      })),
    },
    close: async () => {
      await parts.close()
    },
  }
}

function addGuestRoutes({ control, lab }: LabProcess, guests: JoinedGuests | undefined): void {
  control.on('GET /real/guests', async () => ({
    status: 200,
    body: (await guests?.story()) ?? { moves: [], troubles: [] },
  }))
  if (guests === undefined) return
  control.on(
    'POST /probe',
    probeRoute((query) => (guests.isReal(query.guest) ? guests.probe(query) : probeReading(lab.state, query))),
  )
}
