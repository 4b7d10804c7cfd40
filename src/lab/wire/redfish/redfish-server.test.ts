import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { type RedfishConfig, redfishBmc } from '#drivers/redfish/redfish-bmc'
import { smallSnapshot } from '#lab/testing/small-world'
import { resetBmc } from '#lab/world/bmc'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'
import type { World } from '#lab/world/state'
import { serveRedfish } from './redfish-server.ts'

const pve1 = nodeName('pve1')
const pve2 = nodeName('pve2')

async function open(change: (world: World) => void = () => undefined) {
  const world = createWorld({ snapshot: smallSnapshot(), seed: 1, startAtMs: Date.UTC(2026, 10, 22, 8) })
  change(world)
  const lab = await serveRedfish({ lab: new LabWorld(world), onChange: () => undefined })
  const clock = { nowMs: async () => world.nowMs, sleepUntil: async () => undefined }
  const { user, password, fingerprint256 } = lab
  const nodes = Object.fromEntries(
    Object.entries(lab.urls).map(([name, url]) => [name, { url, user, password, fingerprint256 }]),
  )
  const bmcBy = (more: Partial<RedfishConfig> = {}) => redfishBmc({ nodes, clock, ...more })
  return { world, lab, nodes, clock, bmcBy }
}

test('swapped BMC addresses show by identity', async () => {
  const { world, lab, bmcBy } = await open(({ nodes }) => {
    if (nodes.pve1) nodes.pve1.bmc.answersAs = pve2
    if (nodes.pve2) nodes.pve2.bmc.answersAs = pve1
  })
  const bmc = bmcBy()
  expect((await bmc.identity(pve1)).serial).toBe(world.nodes.pve2?.serial)
  await bmc.close()
  await lab.close()
})

test('a certificate other than the pinned one gets no password', async () => {
  const { lab, nodes, bmcBy } = await open()
  const wrong = Object.fromEntries(
    Object.entries(nodes).map(([name, node]) => [name, { ...node, fingerprint256: 'AB:CD' }]),
  )
  const bmc = bmcBy({ nodes: wrong })
  await expect(bmc.identity(pve1)).rejects.toMatchObject({
    retry: 'never',
    message: expect.stringContaining('nothing was sent'),
  })
  await bmc.close()
  await lab.close()
})

test('a wrong password is refused for good', async () => {
  const { lab, nodes, bmcBy } = await open()
  for (const signIn of ['basic', 'session'] as const) {
    const { url = '', fingerprint256 = '' } = nodes.pve1 ?? {}
    const bmc = bmcBy({ nodes: { pve1: { url, fingerprint256, user: 'coulisse', password: secret('wrong'), signIn } } })
    await expect(bmc.identity(pve1)).rejects.toMatchObject({ retry: 'never', message: expect.stringContaining('401') })
    await bmc.close()
  }
  await lab.close()
})

test('a BMC that was reset says so when it is back', async () => {
  const { world, lab, bmcBy } = await open()
  const bmc = bmcBy()
  const { cursor } = await bmc.signals(pve1, '')
  const node = world.nodes.pve1
  if (node === undefined) throw new Error('pve1 is gone')
  resetBmc(world, node)
  node.bmc.state = 'up'
  const after = await bmc.signals(pve1, cursor)
  expect(after.signals).toContainEqual(expect.objectContaining({ is: 'bmc', event: 'reset' }))
  await bmc.close()
  await lab.close()
})

test('an answer that is lost on the way leaves the power on, and the next call finds it so', async () => {
  const { world, lab, bmcBy } = await open(({ apiFaults, nodes }) => {
    if (nodes.pve1) nodes.pve1.state = 'off'
    apiFaults.push({
      kind: 'answer-lost',
      api: 'bmc',
      path: 'ComputerSystem.Reset',
      rate: 1,
      status: 0,
      delayMs: 0,
      timesLeft: 1,
    })
  })
  const bmc = bmcBy()
  await expect(bmc.powerOn(pve1)).rejects.toMatchObject({ retry: 'later' })
  expect(await bmc.power(pve1)).toEqual({ is: 'on' })
  await bmc.powerOn(pve1)
  expect(world.commands.filter(({ kind }) => kind === 'power-on')).toHaveLength(1)
  await bmc.close()
  await lab.close()
})

test('the inventory is the chassis’ own: DIMMs by slot, drives by serial, PCIe by width', async () => {
  const { world, lab, bmcBy } = await open()
  const bmc = bmcBy()
  const { dimms, disks, pcie, fans } = world.nodes.pve2?.hardware ?? {}
  expect(await bmc.hardware(pve2)).toEqual({ dimms, disks, pcie, fans })
  await bmc.close()
  await lab.close()
})

test('a session that the BMC forgot is opened once more, by however many calls at once, and given back in the end', async () => {
  const { world, lab, nodes, bmcBy } = await open()
  const { url = '', user = '', password, fingerprint256 = '' } = nodes.pve2 ?? {}
  if (password === undefined || world.nodes.pve2 === undefined) throw new Error('pve2 is gone')
  const bmc = bmcBy({ nodes: { pve2: { url, user, password, fingerprint256, signIn: 'session' } } })
  const sessions = async () => {
    const { resource } = await bmc.asker(pve2).client.get('count', '/redfish/v1/SessionService/Sessions')
    return resource['Members@odata.count']
  }
  expect(await sessions()).toBe(1)
  resetBmc(world, world.nodes.pve2)
  world.nodes.pve2.bmc.state = 'up'
  await expect.poll(() => lab.sessionCount(pve2)).toBe(0)
  await Promise.all([bmc.fans(pve2), bmc.power(pve2), bmc.identity(pve2)])
  expect(await sessions()).toBe(1)
  await bmc.close()
  expect(lab.sessionCount(pve2)).toBe(0)
  await lab.close()
})
