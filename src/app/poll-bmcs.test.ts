import { expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { type NodeName, nodeName } from '#domain/ids'
import type { Signal } from '#domain/signal'
import { BMCS_AT_ONCE, bmcPoller } from './poll-bmcs.ts'

const fleet = (count: number) => Array.from({ length: count }, (_, index) => nodeName(`pve${index + 1}`))
const signal = (node: NodeName): Signal => ({ is: 'bmc', atMs: 0, receivedAtMs: 0, node, event: 'reachable' })
const told: string[] = []
const log = (text: string) => void told.push(text)

test('at most 16 are asked at once, all of them are, and what they said stands in the order of the nodes', async () => {
  let [now, most, random] = [0, 0, 7]
  const poller = bmcPoller({
    bmc: {
      signals: async (node) => {
        most = Math.max(most, ++now)
        random = (random * 17) % 11
        for (let turn = 0; turn < random; turn++) await new Promise(setImmediate)
        now--
        return { signals: [signal(node)], cursor: node }
      },
    },
    log,
  })
  const nodes = fleet(100)
  expect((await poller.round(nodes, {})).map(({ cursor }) => cursor)).toEqual(nodes)
  expect(most).toBe(BMCS_AT_ONCE)
})

/** pve1 answers when it is let. */
function slow() {
  const asked: string[] = []
  const waiting: (() => void)[] = []
  const bmc = {
    signals: async (node: NodeName, cursor: string) => {
      asked.push(`${node} after ${cursor}`)
      if (node === 'pve1') await new Promise<void>((resolve) => waiting.push(resolve))
      return { signals: [signal(node)], cursor: `${cursor}+` }
    },
  }
  return { poller: bmcPoller({ bmc, log, patienceMs: 20 }), asked, answer: () => waiting.shift()?.() }
}

test('a slow one holds up nobody, is not asked twice, and is heard in the round in which it has answered', async () => {
  const { poller, asked, answer } = slow()
  const nodes = fleet(3)
  const names = async (cursors: Record<string, string>) => (await poller.round(nodes, cursors)).map(({ node }) => node)
  expect(await names({})).toEqual(['pve2', 'pve3'])
  expect(await names({ pve2: 'a', pve3: 'a' })).toEqual(['pve2', 'pve3'])
  answer()
  expect(await names({ pve2: 'b', pve3: 'b' })).toEqual(nodes)
  expect(asked.filter((one) => one.startsWith('pve1'))).toEqual(['pve1 after '])
})

test('what was read late after a cursor that is not the stored one any more is read again', async () => {
  const { poller, asked, answer } = slow()
  await poller.round(fleet(1), { pve1: 'a' })
  answer()
  expect(await poller.round(fleet(1), { pve1: 'other' })).toEqual([])
  const third = poller.round(fleet(1), { pve1: 'other' })
  answer()
  expect(await third).toMatchObject([{ node: 'pve1', cursor: 'other+' }])
  expect(asked).toEqual(['pve1 after a', 'pve1 after other'])
})

test('a BMC that fails is logged, the others are read; a bug of ours is not swallowed', async () => {
  const text = 'the password is wrong'
  const failing = (error: Error) =>
    bmcPoller({
      bmc: {
        signals: async (node) => {
          if (node === 'pve1') throw error
          return { signals: [], cursor: 'x' }
        },
      },
      log,
    })
  const wrong = failing(new DriverError('ipmi', 'read', { retry: 'never', text }))
  expect((await wrong.round(fleet(2), {})).map(({ node }) => node)).toEqual(['pve2'])
  expect(told.at(-1)).toContain(text)
  await expect(failing(new Error('a bug')).round(fleet(2), {})).rejects.toThrow('a bug')
})
