/** The real part of the lab's process: Ceph and BMCs beneath the simulated world, and what a client of that Ceph saw. */
import { join } from 'node:path'
import type { Snapshot } from '#domain/snapshot'
import { CEPHX_USER, cephxCaps } from '#drivers/ceph/cephx-caps'
import type { LabProcess } from '#lab/keeper/lab-process'
import { withoutCeph } from '#lab/real/attach'
import { startRealParts } from '#lab/real/real-parts'

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

export const snapshotWithoutCeph = (snapshot: Snapshot): Snapshot => withoutCeph(snapshot)

/** Adds `GET /real` to the control server. Everything is ended and removed by `close`. */
export async function startRealLab(process: LabProcess, dir: string, log: (line: string) => void): Promise<RealLab> {
  const parts = await startRealParts({
    lab: process.lab,
    dir: join(dir, 'real'),
    cephClient: { name: CEPHX_USER, caps: cephxCaps },
    onChange: process.beforeAnswer,
    log,
  })
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
