/** Entry points over real TLS to the lab's Proxmox API. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Check } from '#domain/check'
import { secret } from '#domain/secret'
import type { EntryPoint } from '#drivers/proxmox/transport'
import { smallLab } from '#lab/testing/small-world'
import { type ServedProxmox, serveProxmox } from '#lab/wire/proxmox/serve'
import { examineEntryPoints } from './entry-points.ts'

const lab = smallLab()
let served: ServedProxmox
beforeAll(async () => {
  served = await serveProxmox({ lab, onChange: () => {} })
})
afterAll(() => served.close())

const nowMs = async () => lab.state.nowMs
const entries = (): readonly EntryPoint[] =>
  served.endpoints.map(({ url, tokenId, tokenSecret, fingerprint256 }) => ({
    url,
    tokenId,
    tokenSecret: secret(tokenSecret),
    fingerprint256,
  }))
const entry = (index: number, change: Partial<EntryPoint> = {}): EntryPoint => {
  const one = entries()[index]
  if (one === undefined) throw new Error(`there is no entry point ${index}`)
  return { ...one, ...change }
}
const bad = (checks: readonly Check[]) => checks.filter(({ outcome }) => outcome !== 'fine')

test('entry points on several nodes with the pinned certificates and our time are fine, and name their nodes', async () => {
  const checks = await examineEntryPoints(entries(), nowMs)
  expect(bad(checks)).toEqual([])
  expect(checks.filter(({ area }) => area === 'clock').map(({ subject }) => subject)).toEqual(
    served.endpoints.map(({ node }) => node),
  )
})

test('another certificate than the pinned one is dangerous, and got nothing from us', async () => {
  const wrong = entry(0, { fingerprint256: entry(1).fingerprint256 })
  const [check, ...more] = bad(await examineEntryPoints([wrong, entry(1), entry(2)], nowMs))
  expect(more).toEqual([])
  expect(check).toMatchObject({ area: 'proxmox', outcome: 'dangerous' })
  expect(check?.text).toMatch(/nothing was sent/)
  expect(check?.mend).toMatch(/openssl x509/)
})

test('a token that is not known is told with the command that makes it, and without its secret', async () => {
  const wrong = secret('00000000-1111-2222-3333-444444444444')
  const [check] = bad(await examineEntryPoints([entry(0, { tokenSecret: wrong }), entry(1)], nowMs))
  expect(check).toMatchObject({ outcome: 'missing' })
  expect(check?.text).toMatch(/401/)
  expect(check?.mend).toMatch(/pveum user token add/)
  expect(JSON.stringify(check)).not.toContain('00000000')
})

test('one that does not answer is missing', async () => {
  const [check] = bad(await examineEntryPoints([entry(0, { url: 'https://127.0.0.1:9' }), entry(1)], nowMs))
  expect(check).toMatchObject({ outcome: 'missing', subject: 'https://127.0.0.1:9' })
  expect(check?.text).toMatch(/ECONNREFUSED/)
})

test('a single node to ask is dangerous: it may be the one that is drained', async () => {
  const [check] = bad(await examineEntryPoints([entry(1), entry(1)], nowMs))
  expect(check).toMatchObject({ outcome: 'dangerous', subject: 'entry points' })
  expect(check?.text).toContain('only pve2')
})

test('a clock that is an hour off is dangerous', async () => {
  const ahead = async () => lab.state.nowMs + 3_600_000
  const clocks = bad(await examineEntryPoints(entries(), ahead)).filter(({ area }) => area === 'clock')
  expect(clocks.map(({ outcome }) => outcome)).toEqual(served.endpoints.map(() => 'dangerous'))
  expect(clocks[0]?.text).toBe('its clock is 3600 s behind this machine’s')
})
