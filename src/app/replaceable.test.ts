/** A saga holds one bundle of ports for days; what is behind it may be replaced meanwhile. */
import { expect, test, vi } from 'vitest'
import { nodeName } from '#domain/ids'
import { labPorts } from '#lab/ports/lab-ports'
import { smallLab } from '#lab/testing/small-world'
import { parseConfig } from './config/read.ts'
import type { Config } from './config/schema.ts'
import type { Drivers } from './drivers.ts'
import { replaceableDrivers } from './replaceable.ts'

const config = (hoster: string) =>
  parseConfig(
    `cluster: mad1\nhoster: ${hoster}\nstateDir: /s\nproxmox: { entryPoints: [{ url: 'https://h', tokenId: t, tokenSecret: { env: X }, fingerprint256: A }] }\nceph: none\nnodes: {}`,
    'c.yaml',
  )

function make(closed: string[], heard: string[] = []) {
  const ports = labPorts(smallLab())
  return ({ hoster }: Config): Drivers => ({
    ...ports,
    bmc: {
      ...ports.bmc,
      examine: async () => [],
      listen: async () => void heard.push(`${hoster} listens`),
      stopListening: async () => void heard.push(`${hoster} stops`),
      close: async () => {},
    },
    clock: { nowMs: async () => 0, sleepUntil: async () => {} },
    inventory: { ...ports.inventory, hoster },
    pages: { publish: ports.publisher.publish, read: async () => undefined },
    lab: undefined,
    solver: { solve: async () => ({ is: 'unanswered', why: 'not asked here' }) },
    close: async () => void closed.push(hoster),
  })
}

test('what was taken out before the replacement answers from the new drivers, and old ones are closed in the end', async () => {
  const closed: string[] = []
  const replaceable = replaceableDrivers(config('One'), make(closed))
  const { inventory, hypervisor } = replaceable.drivers
  expect(inventory.hoster).toBe('One')
  replaceable.replace(config('Two'))
  expect(inventory.hoster).toBe('Two')
  expect(replaceable.config().hoster).toBe('Two')
  // A call of the old ones may be under way still.
  expect(closed).toEqual([])
  expect(await hypervisor.nodeOnline(nodeName('pve1'))).toBe(true)
  expect('operatorMail' in inventory).toBe(true)
  await replaceable.close()
  expect(closed.sort()).toEqual(['One', 'Two'])
})

test('events are heard through a replacement, by one at a time', async () => {
  const heard: string[] = []
  const replaceable = replaceableDrivers(config('One'), make([], heard))
  await replaceable.listen(
    () => {},
    () => {},
  )
  replaceable.replace(config('Two'))
  await vi.waitFor(() => expect(heard).toEqual(['One listens', 'One stops', 'Two listens']))
  await replaceable.close()
})
