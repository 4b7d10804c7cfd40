/** The doctor's look at Redfish BMCs, at each maker's. */
import { createServer } from 'node:https'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { examineRedfish } from '#drivers/redfish/examine'
import { smallSnapshot } from '#lab/testing/small-world'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'
import type { World } from '#lab/world/state'
import { selfSignedCertificate } from '../tls.ts'
import { serveRedfish } from './redfish-server.ts'
import { VENDORS, type VendorName } from './vendors.ts'

const node = nodeName('pve3')

async function examine(
  vendor: VendorName,
  change: (world: World) => void = () => undefined,
  more: { readonly password?: string; readonly fingerprint256?: string } = {},
) {
  const world = createWorld({ snapshot: smallSnapshot(), seed: 1, startAtMs: Date.UTC(2026, 10, 22, 8) })
  const expected = { systemUuid: world.nodes.pve3?.systemUuid ?? '', serial: world.nodes.pve3?.serial ?? '' }
  change(world)
  const lab = await serveRedfish({ lab: new LabWorld(world), onChange: () => undefined, vendors: { [node]: vendor } })
  const target = {
    url: lab.urls.pve3 ?? '',
    user: lab.user,
    password: more.password === undefined ? lab.password : secret(more.password),
    fingerprint256: more.fingerprint256 ?? lab.fingerprint256,
  }
  const checks = await examineRedfish({ node, target, expected, nowMs: world.nowMs })
  await lab.close()
  return checks.map(({ outcome, text }) => `${outcome}: ${text}`)
}

const pve3 = (world: World) => {
  const found = world.nodes.pve3
  if (found === undefined) throw new Error('pve3 is gone')
  return found
}

for (const { name } of VENDORS) {
  test(`${name}: what is well is fine; what is not is named, each for itself`, async () => {
    expect(await examine(name)).toEqual(['fine: is this node’s by UUID or serial; 6 fans, log and clock are read'])
    expect(
      await examine(name, (world) => {
        pve3(world).bmc.clockOffsetMs = 3_600_000
        pve3(world).powerRestorePolicy = 'always-on'
      }),
    ).toEqual([
      'dangerous: has a clock that is 60 min off',
      'dangerous: starts the node by itself when current comes back, with hands still inside',
    ])
    const swapped = await examine(name, (world) => {
      pve3(world).bmc.answersAs = nodeName('pve2')
    })
    expect(swapped).toEqual([expect.stringMatching(/^dangerous: is another machine’s: .* may be swapped$/)])
  })

  test(`${name}: a wrong password, another certificate and silence are told apart`, async () => {
    const nothing = () => undefined
    expect(await examine(name, nothing, { password: 'x' })).toEqual([
      expect.stringMatching(/^missing: answers, and refuses this user and password/),
    ])
    expect(await examine(name, nothing, { fingerprint256: 'AB:CD' })).toEqual([
      expect.stringMatching(/^dangerous: the certificate is .* nothing was sent$/),
    ])
    const silent = (world: World) => {
      pve3(world).bmc.state = 'silent'
    }
    expect(await examine(name, silent)).toEqual([expect.stringMatching(/^missing: redfish: pve3: /)])
  })
}

test.each([
  ['an empty body', 200, ''],
  ['HTML', 200, '<html>Service starting</html>'],
  ['half a JSON', 200, '{"@odata.id": "/redfish'],
  ['a list', 200, '[]'],
  ['200 with an error', 200, '{"error":{"code":"x","message":"not now"}}'],
  ['a resource that says nothing', 200, '{}'],
  ['503', 503, ''],
  ['a path to elsewhere', 200, '{"Members":[{"@odata.id":"https://192.0.2.1/x"}]}'],
  ['a redirect to itself', 308, ''],
])('%s in place of every answer is a check, and no crash', async (_, status, body) => {
  const { key, cert, fingerprint256 } = selfSignedCertificate('bmc.lab.invalid', Date.now())
  const server = createServer({ key, cert }, (request, response) =>
    response.writeHead(status, { location: request.url ?? '' }).end(body),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const target = { url, user: 'x', password: secret('y'), fingerprint256 }
  const expected = { systemUuid: 'u', serial: 's' }
  const [check] = await examineRedfish({ node, target, expected, nowMs: Date.now() })
  expect(check).toMatchObject({ outcome: 'missing', mend: expect.any(String) })
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
