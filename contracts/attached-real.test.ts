/** A node of the simulated world with real OSDs and a real BMC behind it: off and on again, under a client that verifies. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { CEPHX_USER, cephxCaps } from '#drivers/ceph/cephx-caps'
import { ipmiBmc } from '#drivers/ipmi/ipmi-bmc'
import { withoutCeph } from '#lab/real/attach'
import { startRealParts } from '#lab/real/real-parts'
import { pve3, smallLab, smallSnapshot } from '#lab/testing/small-world'
import { turnFan } from '#lab/world/bmc'
import * as commands from '#lab/world/commands'
import { leftOut, whyNotReal } from './real.ts'

const why = await whyNotReal()
const cephClient = { name: CEPHX_USER, caps: cephxCaps }
const LOOKS_LIMIT = 240
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
  const parts = await startRealParts({ lab, dir, cephClient, onChange: () => undefined, firstBmcPort: 9471 })
  const bmc = ipmiBmc({ nodes: parts.ipmi, clock })
  const storage = cephStorage({ ...parts.ceph, deadlineMs: 15_000, clock })
  return { lab, parts, ceph: parts.cluster, bmc, storage }
}

if (why === undefined) {
  test('off and on again: OSDs really stop and start, nothing rebalances, every object stays what it was', async () => {
    const { lab, parts, ceph, bmc, storage } = await realWorld()
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
    const seen = await parts.close()
    console.log(`verifying client: ${JSON.stringify(seen)}`)
    expect(seen.verifyCount).toBeGreaterThan(100)
    expect(seen).toMatchObject({ errorCount: 0, mismatchCount: 0 })
    expect(seen.worstMs).toBeLessThan(15_000)
  }, 240_000)
} else {
  leftOut('a node with real OSDs and a real BMC', why)
}
