import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import type { IpmiStory } from '#contracts/recorded/ipmitool'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { examineIpmi } from './examine.ts'

const STANDIN = fileURLToPath(new URL('../../../contracts/recorded/ipmitool.ts', import.meta.url))
const UUID = '01900000-6745-23a1-efcd-ab89674523a1'
const MIDNIGHT_MS = Date.UTC(2026, 10, 22)

const dirs: string[] = []
afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true })
})

async function examine(with_: Partial<IpmiStory> = {}, more: { uuid?: string; user?: string; nowMs?: number } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'coulisse-examine-'))
  dirs.push(dir)
  const file = join(dir, 'story.json')
  const start: IpmiStory = { power: 'on', edges: 0, clearedCount: 0, silent: false, password: 'horse', ...with_ }
  await writeFile(file, JSON.stringify(start))
  const checks = await examineIpmi({
    node: nodeName('pve3'),
    target: { host: '192.0.2.13', user: more.user ?? 'watcher', password: secret('horse') },
    expected: { systemUuid: more.uuid ?? UUID, serial: 'unknown' },
    nowMs: more.nowMs ?? MIDNIGHT_MS,
    command: [process.execPath, STANDIN, file],
  })
  return checks.map(({ outcome, text }) => `${outcome}: ${text}`)
}

test('a BMC that is this node’s, with a clock that is right and a user who may little, is fine', async () => {
  expect(await examine()).toEqual(['fine: is this node’s by UUID or serial; 6 fans, log and clock are read'])
})

test('another machine’s BMC is dangerous, and the swap is named', async () => {
  const [only, more] = await examine({}, { uuid: '4c4c4544-0033-4a10-8051-b2c04f4a3932' })
  expect(only).toMatch(/^dangerous: is another machine’s: UUID 01900000-.*swapped$/)
  expect(more).toBeUndefined()
})

test('an administrator where an operator does, and a clock an hour off, are named both', async () => {
  expect(await examine({}, { user: 'coulisse', nowMs: MIDNIGHT_MS + 3_600_000 })).toEqual([
    'dangerous: has a clock that is 60 min off',
    'dangerous: lets coulisse do more than is needed: ADMINISTRATOR',
  ])
})

test.each([
  ['a wrong password', { password: 'other' }, /^missing: answers, and refuses this user and password/],
  ['a silent BMC', { silent: true }, /^missing: does not answer/],
  ['sessions that are all taken', { sessionsFull: true }, /^missing: has no session free/],
] as const)('%s is one check, with what mends it', async (_, with_, text) => {
  expect(await examine(with_)).toEqual([expect.stringMatching(text)])
})

test('garbage is no crash, and nothing is said to be well', async () => {
  const said = await examine({ garbage: '<html>busy</html>\n' })
  expect(said.every((one) => !one.startsWith('fine'))).toBe(true)
})
