/** A real guest's disk: an RBD image on which its writer leaves one number after the other. */
import { readFile, rm } from 'node:fs/promises'
import type { Vmid } from '#domain/ids'
import { run } from '#drivers/exec/run'
import type { RealCeph } from '../ceph-cluster.ts'
import { failed } from '../processes.ts'

/** Two numbers a second: room for six days. */
export const GUEST_DISK_BYTES = 16 * 2 ** 20
/** As `guest-init.sh` writes them: fifteen digits and the end of a line. */
const RECORD_BYTES = 16
/** Debian's QEMU and Proxmox both lock an image while it is written. */
const FEATURES = 'layering,exclusive-lock'
const CALL_LIMIT_MS = 60_000

export const imageOf = (guest: Vmid) => `vm-${guest}-disk-0`

export type DiskNumbers = {
  /** From 1 on, without a hole. */
  readonly unbrokenCount: number
  /** Numbers that lie behind a hole: writes were lost before them. */
  readonly behindAHoleCount: number
}

export async function makeDisk(ceph: RealCeph, guest: Vmid): Promise<void> {
  const image = `${ceph.pools[0]}/${imageOf(guest)}`
  const args = ['create', image, '--size', `${GUEST_DISK_BYTES}B`, '--image-feature', FEATURES]
  await rbd(ceph, `make the disk of guest ${guest}`, args)
}

/** Read from RBD, past the guest. `file`: where it may lie meanwhile. */
export async function readDisk(ceph: RealCeph, guest: Vmid, file: string): Promise<DiskNumbers> {
  await rm(file, { force: true })
  const image = `${ceph.pools[0]}/${imageOf(guest)}`
  await rbd(ceph, `read the disk of guest ${guest}`, ['export', '--no-progress', image, file])
  const bytes = await readFile(file)
  await rm(file)
  return numbersOn(bytes)
}

/** Number N lies at record N: what is there and is not N is a hole. */
export function numbersOn(disk: Buffer): DiskNumbers {
  const recordCount = Math.floor(disk.length / RECORD_BYTES)
  const isThere = (number: number) =>
    disk.toString('latin1', number * RECORD_BYTES, (number + 1) * RECORD_BYTES) ===
    `${String(number).padStart(15, '0')}\n`
  let unbrokenCount = 0
  while (unbrokenCount + 1 < recordCount && isThere(unbrokenCount + 1)) unbrokenCount++
  let behindAHoleCount = 0
  for (let number = unbrokenCount + 1; number < recordCount; number++) if (isThere(number)) behindAHoleCount++
  return { unbrokenCount, behindAHoleCount }
}

async function rbd(ceph: RealCeph, doing: string, args: readonly string[]): Promise<void> {
  const command = ['rbd', '--conf', ceph.conf, '--name', ceph.guestsName, ...args]
  const ran = await run({ driver: 'real lab', doing, command, deadlineMs: CALL_LIMIT_MS })
  if (ran.code !== 0) throw failed(doing, new Error(ran.stderr.trim().split('\n').at(-1)))
}
