/** The Ceph contract over a real cluster, by the narrow cephx user that operators give us. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { CEPHX_USER, cephxCaps } from '#drivers/ceph/cephx-caps'
import { run } from '#drivers/exec/run'
import { type RealCeph, startRealCeph } from '#lab/real/ceph-cluster'
import { leftOut, whyNotReal } from './real.ts'
import { storageContract } from './storage-contract.ts'

const HOSTS = ['pve1', 'pve2', 'pve3', 'pve4'].map(nodeName)
const CLIENT = { name: CEPHX_USER, caps: cephxCaps }
const clock = { nowMs: async () => Date.now(), sleepUntil: async () => undefined }
const WHOLE_LOOKS_LIMIT = 120

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

if (why === undefined) {
  storageContract('a real cluster', async () => {
    const real = await startRealCeph({
      dir: `/tmp/coulisse-real-contract-${process.pid}`,
      hosts: HOSTS,
      client: CLIENT,
    })
    return {
      storage: storageOf(real),
      host: nodeName('pve3'),
      otherHost: nodeName('pve2'),
      mayStopOsds: true,
      mgrStandsBy: true,
      hands: {
        startOsds: async (host) => {
          await real.startOsds(host)
          await whole(real)
        },
      },
      close: () => real.stop(),
    }
  })

  test('the narrow user may do what the driver does, and nothing beside it', async () => {
    const real = await startRealCeph({ dir: `/tmp/coulisse-real-caps-${process.pid}`, hosts: HOSTS, client: CLIENT })
    const as = ['ceph', '--conf', real.conf, '--keyring', real.clientKeyring, '--name', real.clientName]
    const forbidden = [
      ['osd', 'set', 'noout'],
      ['osd', 'set-group', 'nodown', 'pve3'],
      ['osd', 'out', '4'],
      ['config-key', 'get', 'mgr/x'],
      ['config-key', 'set', 'coulisse-not-ours', 'x'],
      ['auth', 'ls'],
      ['osd', 'pool', 'delete', 'vm', 'vm', '--yes-i-really-really-mean-it'],
    ]
    for (const words of forbidden) {
      const ran = await run({ driver: 'test', doing: words.join(' '), command: [...as, ...words], deadlineMs: 20_000 })
      expect([words.join(' '), ran.code]).toEqual([words.join(' '), 13])
    }
    await real.stop()
  })
} else {
  leftOut('the Ceph contract over a real cluster', why)
}
