/** A node of the simulated world with real OSDs and a real BMC behind it: off and on again, under a client that verifies. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { ipmiBmc } from '#drivers/ipmi/ipmi-bmc'
import { attachReal, withoutCeph } from '#lab/real/attach'
import { startRealBmcs } from '#lab/real/bmcs'
import { startRealCeph } from '#lab/real/ceph-cluster'
import { startVerifyingClient } from '#lab/real/verifying-client'
import { pve3, smallLab, smallSnapshot } from '#lab/testing/small-world'
import { turnFan } from '#lab/world/bmc'
import * as commands from '#lab/world/commands'
import { leftOut, whyNotReal } from './real.ts'

const why = await whyNotReal()
const LOOKS_LIMIT = 240
const HOSTS = ['pve1', 'pve2', 'pve3', 'pve4'].map(nodeName)
const clock = { nowMs: async () => Date.now(), sleepUntil: async () => undefined }

async function until(what: string, holds: () => Promise<boolean>) {
  for (let look = 1; look <= LOOKS_LIMIT; look++) {
    if (await holds()) return
    await sleep(250)
  }
  throw new Error(`waited in vain: ${what}`)
}

async function realWorld() {
  const lab = smallLab({ snapshot: withoutCeph(smallSnapshot()) })
  const dir = `/tmp/coulisse-real-attached-${process.pid}`
  const ceph = await startRealCeph({ dir: `${dir}-ceph`, hosts: HOSTS })
  const nodes = Object.values(lab.state.nodes).map(({ name, systemUuid, serial, fans }) => ({
    name,
    systemUuid,
    serial,
    fans: fans.map(({ part }) => part),
  }))
  const bmcs = await startRealBmcs({ dir: `${dir}-bmc`, nodes, firstPort: 9471 })
  const client = await startVerifyingClient(ceph, `${dir}-client`)
  const attached = attachReal({ lab, ceph, bmcs, onChange: () => undefined })
  const bmc = ipmiBmc({ nodes: Object.fromEntries(bmcs.byNode), clock })
  const storage = cephStorage({
    command: ['ceph'],
    conf: ceph.conf,
    keyring: ceph.clientKeyring,
    name: ceph.clientName,
    deadlineMs: 15_000,
    clock,
    stopOsds: ceph.stopOsdCommand,
  })
  const close = async () => {
    await client.stop()
    await attached.detach()
    await bmcs.stop()
    await ceph.stop()
  }
  return { lab, ceph, client, bmc, storage, close }
}

if (why === undefined) {
  test('off and on again: OSDs really stop and start, nothing rebalances, every object stays what it was', async () => {
    const { lab, ceph, client, bmc, storage, close } = await realWorld()
    const node = lab.state.nodes.pve3
    if (node === undefined) throw new Error('pve3 is gone')
    const ids = ceph.osds.filter(({ host }) => host === pve3).map(({ id }) => id)

    turnFan(lab.state, node, 'FAN3', true)
    await until('the real BMC shows the fan', async () => (await bmc.fans(pve3)).some(({ state }) => state === 'low'))
    turnFan(lab.state, node, 'FAN3', false)

    expect((await storage.okToStop(ids)).ok).toBe(true)
    await storage.setNoout(pve3)
    expect(await storage.stopOsds(pve3, ids)).toBe('stopped')
    commands.shutdownNode(lab.state, pve3, 'us')
    lab.advanceTo(lab.state.nowMs + 200_000)
    await until('the BMC says off', async () => (await bmc.power(pve3)).is === 'off')
    await until('the host is down', async () => !(await ceph.isUp(pve3)))
    await bmc.setLocate(pve3, true)
    await until('the LED is lit', async () => node.bmc.locateOn)

    await bmc.powerOn(pve3)
    await until('the world heard of it', async () => node.state === 'booting')
    lab.advanceTo(lab.state.nowMs + 300_000)
    await until('the cluster is whole', () => ceph.isWhole())
    await storage.clearNoout(pve3)
    const seen = await client.report()
    await close()
    console.log(`verifying client: ${JSON.stringify(seen)}`)
    expect(seen.verifyCount).toBeGreaterThan(100)
    expect(seen).toMatchObject({ errorCount: 0, mismatchCount: 0 })
    expect(seen.worstMs).toBeLessThan(15_000)
  }, 240_000)
} else {
  leftOut('a node with real OSDs and a real BMC', why)
}
