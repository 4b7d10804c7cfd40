/** The Ceph contract over a real cluster, by the narrow cephx user that operators give us. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { type NodeName, nodeName } from '#domain/ids'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { CEPHX_USER, cephxCaps } from '#drivers/ceph/cephx-caps'
import { examineCeph } from '#drivers/ceph/examine'
import { type RealCeph, startRealCeph } from '#lab/real/ceph-cluster'
import type { Storage } from '#ports/storage'
import { openSshBench, sshAt, whyNoSshd } from './node-by-ssh.ts'
import { leftOut, whyNotReal } from './real.ts'
import { storageContract } from './storage-contract.ts'

const HOSTS = ['pve1', 'pve2', 'pve3', 'pve4'].map(nodeName)
const CLIENT = { name: CEPHX_USER, caps: cephxCaps }
const clock = { nowMs: async () => Date.now(), sleepUntil: async () => undefined }
const WHOLE_LOOKS_LIMIT = 240
const LIMIT_MS = 180_000

const storageOf = (real: RealCeph) =>
  cephStorage({
    command: ['ceph'],
    conf: real.conf,
    keyring: real.clientKeyring,
    name: real.clientName,
    deadlineMs: 15_000,
    clock,
    stopOsds: real.stopOsdCommand,
  })

async function whole(real: RealCeph) {
  for (let look = 1; look <= WHOLE_LOOKS_LIMIT; look++) {
    if (await real.isWhole()) return
    await sleep(250)
  }
  throw new Error('the cluster did not become whole again')
}

const why = await whyNotReal()
const noSshd = await whyNoSshd()

/** One cluster for both contracts: each leaves it as it found it. */
let cluster: Promise<RealCeph> | undefined
function started(): Promise<RealCeph> {
  cluster ??= startRealCeph({ dir: `/tmp/coulisse-real-contract-${process.pid}`, hosts: HOSTS, client: CLIENT })
  return cluster
}

const benchOf = (real: RealCeph, storage: Storage) => ({
  storage,
  host: nodeName('pve3'),
  otherHost: nodeName('pve2'),
  mayStopOsds: true,
  mgrStandsBy: true,
  hands: {
    startOsds: async (host: NodeName) => {
      await real.startOsds(host)
      await whole(real)
    },
  },
})

const SYSTEMCTL = `#!/bin/sh
osd=\${2#ceph-osd@}
exec "$NODE" "$STOP_OSD" "$CEPH_DIR" "\${osd%.service}"
`

/** The same cluster through the `ceph` and the `systemctl` of a node, by a key that may do nothing else. */
async function bySsh(real: RealCeph) {
  const [program = '', stop = '', dir = ''] = real.stopOsdCommand
  const node = await openSshBench({
    programs: { systemctl: SYSTEMCTL },
    env: { CEPH_CONF: real.conf, CEPH_KEYRING: real.clientKeyring, NODE: program, STOP_OSD: stop, CEPH_DIR: dir },
    osdData: `${dir}/osd/`,
  })
  await node.allow(['ceph', 'stop-osd'])
  // The first of them is off: the next one is asked.
  const ssh = await node.reached({ pve1: sshAt(1), pve2: sshAt(node.sshd.port), pve3: sshAt(node.sshd.port) })
  return { node, ssh, storage: cephStorage({ ssh, deadlineMs: 20_000, clock, stopOsds: { ssh } }) }
}

if (why === undefined) {
  const open = async () => {
    const real = await started()
    console.log(`a real Ceph: whole after ${(real.startedInMs / 1000).toFixed(1)} s`)
    return { ...benchOf(real, storageOf(real)), close: async () => undefined }
  }
  storageContract('a real cluster', open, LIMIT_MS)
  if (noSshd === undefined) {
    const openBySsh = async () => {
      const real = await started()
      const { node, storage } = await bySsh(real)
      return { ...benchOf(real, storage), close: node.close }
    }
    storageContract('a real cluster by ssh', openBySsh, LIMIT_MS)
    test(
      'by ssh: a key without the right leaves the OSDs to the node’s own shutdown, and doctor names it',
      async () => {
        const { node, ssh, storage } = await bySsh(await started())
        const config = { ssh, deadlineMs: 20_000, clock, stopOsds: { ssh } }
        expect((await examineCeph(config, HOSTS)).filter((one) => one.outcome !== 'fine')).toEqual([])
        await node.allow(['ceph'])
        expect(await storage.stopOsds(nodeName('pve3'), [4, 5])).toBe('not-allowed')
        await node.allow(['maintenance-mode'])
        expect(await examineCeph(config, HOSTS)).toMatchObject([
          { outcome: 'missing', text: expect.stringContaining("no right 'ceph'") },
        ])
        await node.close()
      },
      LIMIT_MS,
    )
  } else {
    leftOut('the Ceph contract over a real cluster by ssh', noSshd)
  }
  afterAll(async () => (await cluster)?.stop(), LIMIT_MS)
} else {
  leftOut('the Ceph contract over a real cluster', why)
}
