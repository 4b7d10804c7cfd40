/** The Ceph contract over the simulated world: in memory, and behind its `ceph` command with our real driver in front. */
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { NooutLease } from '#domain/ceph'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { examineCeph } from '#drivers/ceph/examine'
import { type LeaseStore, proxmoxCeph } from '#drivers/proxmox/ceph-fallback'
import { labStorage } from '#lab/ports/storage'
import { smallSnapshot } from '#lab/testing/small-world'
import { cephRequest, plainText } from '#lab/wire/ceph-cli/answer'
import { serveProxmox } from '#lab/wire/proxmox/serve'
import { upOsds } from '#lab/world/ceph'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'
import type { World } from '#lab/world/state'
import { storageContract } from './storage-contract.ts'

const standIn = (file: string) => fileURLToPath(new URL(`../src/lab/wire/ceph-cli/${file}`, import.meta.url))
const newWorld = () => createWorld({ snapshot: smallSnapshot(), seed: 1, startAtMs: Date.UTC(2026, 10, 22, 8) })

const bench = (world: World) => ({
  host: nodeName('pve3'),
  otherHost: nodeName('pve2'),
  mayStopOsds: true,
  mgrStandsBy: true,
  hands: { startOsds: async () => upOsds(world, nodeName('pve3')) },
})

storageContract('in the lab’s memory', async () => {
  const world = newWorld()
  const storage = labStorage(new LabWorld(world), { nooutScope: 'host', mayStopOsds: true })
  return { ...bench(world), storage, close: async () => undefined }
})

storageContract('in the lab’s memory, noout for the whole cluster', async () => {
  const world = newWorld()
  const storage = labStorage(new LabWorld(world), { nooutScope: 'cluster', mayStopOsds: true })
  return { ...bench(world), nooutScope: 'cluster', storage, close: async () => undefined }
})

/** What keeps leases where Ceph is reached by Proxmox alone; the control plane gives its database. */
function leasesElsewhere(): LeaseStore {
  const leases = new Map<string, NooutLease>()
  return {
    readLease: async (host) => leases.get(host),
    writeLease: async (lease) => void leases.set(lease.host, lease),
    deleteLease: async (host) => void leases.delete(host),
  }
}

storageContract('the lab’s behind Proxmox’s API', async () => {
  const world = newWorld()
  const served = await serveProxmox({ lab: new LabWorld(world), onChange: () => undefined })
  const storage = proxmoxCeph({
    entryPoints: served.endpoints.map((endpoint) => ({ ...endpoint, tokenSecret: secret(endpoint.tokenSecret) })),
    clock: { nowMs: async () => world.nowMs, sleepUntil: async () => undefined },
    leases: leasesElsewhere(),
  })
  const close = async () => {
    await storage.close()
    await served.close()
  }
  return { ...bench(world), nooutScope: 'cluster', asksForAllTogether: false, storage, close }
})

async function control(world: World) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { readonly plain?: boolean }
    const answer = cephRequest(world, body)
    response.end(body.plain === true ? plainText(answer) : JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  return { url, close: () => new Promise<void>((resolve) => server.close(() => resolve())) }
}

for (const { name, command } of [
  { name: 'in JavaScript', command: [process.execPath, standIn('ceph.mjs')] },
  { name: 'in shell', command: ['/bin/bash', standIn('ceph.sh')] },
]) {
  storageContract(`the lab’s behind the ceph command ${name}`, async () => {
    const world = newWorld()
    const { url, close } = await control(world)
    const storage = cephStorage({
      command,
      env: { COULISSE_LAB_CONTROL: url },
      deadlineMs: 20_000,
      clock: { nowMs: async () => world.nowMs, sleepUntil: async () => undefined },
      stopOsds: [...command, 'stop-osd', '{osd}'],
    })
    return { ...bench(world), storage, close }
  })

  test(`doctor finds the lab’s Ceph fine by the command ${name}, and names what is not`, async () => {
    const world = newWorld()
    const { url, close } = await control(world)
    const config = {
      command,
      name: 'client.coulisse',
      env: { COULISSE_LAB_CONTROL: url },
      deadlineMs: 20_000,
      clock: { nowMs: async () => world.nowMs, sleepUntil: async () => undefined },
      stopOsds: command,
    }
    const wrong = async () =>
      (await examineCeph(config, Object.keys(world.nodes))).filter((one) => one.outcome !== 'fine')
    expect(await wrong()).toEqual([])
    if (world.ceph === 'none') throw new Error('this world has no Ceph')
    world.ceph.hostFlags.pve2 = ['noout']
    world.ceph.fullness = 'nearfull'
    expect((await wrong()).map(({ subject }) => subject)).toEqual(['OSD_NEARFULL', 'flags of pve2'])
    for (const monitor of world.ceph.monitors) monitor.inQuorum = false
    expect(await wrong()).toMatchObject([{ outcome: 'missing', text: expect.stringContaining('timed out') }])
    await close()
  })
}
