import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { bmcContract } from '#contracts/bmc-contract'
import type { IpmiStory } from '#contracts/recorded/ipmitool'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { ipmiBmc } from './ipmi-bmc.ts'

const STANDIN = fileURLToPath(new URL('../../../contracts/recorded/ipmitool.ts', import.meta.url))
const clock = { nowMs: async () => Date.UTC(2026, 10, 22), sleepUntil: async () => undefined }
const node = nodeName('pve3')

async function recordedBmc(password: string) {
  const dir = await mkdtemp(join(tmpdir(), 'coulisse-ipmi-'))
  const file = join(dir, 'story.json')
  const start: IpmiStory = { power: 'on', edges: 0, clearedCount: 0, silent: false, password: 'horse' }
  await writeFile(file, JSON.stringify(start))
  const change = async (with_: (story: IpmiStory) => Partial<IpmiStory>) => {
    const story = JSON.parse(await readFile(file, 'utf8')) as IpmiStory
    await writeFile(file, JSON.stringify({ ...story, ...with_(story) }))
  }
  const bmc = ipmiBmc({
    nodes: { [node]: { host: '192.0.2.13', user: 'admin', password: secret(password) } },
    command: [process.execPath, STANDIN, file],
    clock,
  })
  return { bmc, change, close: () => rm(dir, { recursive: true }) }
}

bmcContract('by ipmitool over recordings', async () => {
  const { bmc, change, close } = await recordedBmc('horse')
  return {
    bmc,
    node,
    fan: 'FAN3',
    identity: { systemUuid: '01900000-6745-23a1-efcd-ab89674523a1' },
    hands: {
      stopFan: () => change(({ edges }) => ({ edges: edges + 1 })),
      startFan: () => change(({ edges }) => ({ edges: edges + 1 })),
      powerOff: () => change(() => ({ power: 'off' })),
      clearLog: () => change(({ clearedCount }) => ({ edges: 0, clearedCount: clearedCount + 1 })),
      silence: () => change(() => ({ silent: true })),
      unsilence: () => change(() => ({ silent: false })),
    },
    close,
  }
})

test('a wrong password is told apart from a dead BMC, and is never tried again', async () => {
  const { bmc, close } = await recordedBmc('wrong')
  const error = await bmc.signals(node, '').catch((caught: unknown) => caught)
  expect(error).toMatchObject({ retry: 'never', message: expect.stringContaining('refuses this user and password') })
  await close()
})
