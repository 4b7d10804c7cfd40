import { afterEach, expect, test } from 'vitest'
import type { Check } from '#domain/check'
import { vmid } from '#domain/ids'
import { secret } from '#domain/secret'
import { examineProxmox } from '#drivers/proxmox/examine'
import { type ProxmoxHypervisor, proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { tlsTransport, type WireAnswer } from '#drivers/proxmox/transport'
import { takeFault } from '#lab/faults/apply'
import { pve1, pve3, smallLab } from '#lab/testing/small-world'
import { type ProxmoxEndpoint, serveProxmox } from '#lab/wire/proxmox/serve'
import { makeToken } from '#lab/wire/proxmox/tokens'
import type { LabWorld } from '#lab/world/lab-world'

let open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()))
  open = []
})

type Made = { readonly tokenId: string; readonly tokenSecret: string }
type Served = {
  readonly lab: LabWorld
  readonly endpoints: readonly ProxmoxEndpoint[]
  token(asked: Record<string, unknown>): Made
  ask(as: Made, path: string, method?: 'GET' | 'POST'): Promise<WireAnswer>
  driver(as: Made): ProxmoxHypervisor
  examine(as: Made): Promise<readonly Check[]>
}

async function serve(lab = smallLab()): Promise<Served> {
  const served = await serveProxmox({ lab, onChange: () => {} })
  open.push(served)
  const points = (as: Made) =>
    served.endpoints.map((one) => ({ ...one, tokenId: as.tokenId, tokenSecret: secret(as.tokenSecret) }))
  const clock = { nowMs: async () => lab.state.nowMs, sleepUntil: async () => {} }
  return {
    lab,
    endpoints: served.endpoints,
    examine: (as) => examineProxmox({ entryPoints: points(as), clock, cephByApi: false }),
    token: (asked) => {
      const { status, body } = makeToken(lab.state, { tokenId: 'coulisse@pve!poor', ...asked })
      expect(status).toBe(201)
      return body as Made
    },
    async ask(as, path, method = 'GET') {
      const [first] = points(as)
      if (first === undefined) throw new Error('no endpoint')
      const transport = tlsTransport(first)
      open.push(transport)
      return transport.send({ method, path, deadlineMs: 2_000 })
    },
    driver(as) {
      const hypervisor = proxmoxHypervisor({ entryPoints: points(as), clock, linkBitsPerSecond: 10e9 })
      open.push(hypervisor)
      return hypervisor
    },
  }
}

const dataIn = (answer: WireAnswer) => (answer.is === 'answer' ? JSON.parse(answer.body).data : answer)

test('a token without VM.Audit gets 200 and silently no guests', async () => {
  const { token, ask, driver } = await serve()
  const poor = token({ without: ['VM.Audit'] })
  const list = dataIn(await ask(poor, '/cluster/resources')) as { type: string }[]
  expect(list.some((item) => item.type === 'qemu')).toBe(false)
  expect(list.filter((item) => item.type === 'node')).toHaveLength(4)
  expect(dataIn(await ask(poor, '/nodes/pve3/qemu'))).toEqual([])
  expect(Object.keys(dataIn(await ask(poor, '/access/permissions'))['/vms'])).not.toContain('VM.Audit')
  expect(await ask(poor, '/nodes/pve3/qemu/101/config')).toMatchObject({
    status: 403,
    reason: 'Permission check failed (/vms/101, VM.Audit)',
  })
  const { blind } = await driver(poor).observe()
  expect(blind.join()).toContain('VM.Audit')
})

test('an act without its right is refused by name, and the driver does not try again', async () => {
  const { token, ask, driver, lab } = await serve()
  const reader = token({ without: ['VM.Migrate', 'Sys.PowerMgmt'] })
  expect(await ask(reader, '/nodes/pve3/qemu/101/status/start', 'POST')).toMatchObject({
    status: 403,
    reason: 'Permission check failed (/vms/101, VM.PowerMgmt)',
  })
  const hypervisor = driver(reader)
  const move = { guest: vmid(101), from: pve3, to: pve1, mode: 'live', withLocalDisks: false } as const
  await expect(hypervisor.migrate(move)).rejects.toMatchObject({
    retry: 'never',
    message: expect.stringContaining('(/vms/101, VM.Migrate)'),
  })
  await expect(hypervisor.shutDown(pve3)).rejects.toMatchObject({ retry: 'never' })
  expect(Object.keys(lab.state.tasks)).toEqual([])
})

test('rights on a path replace those that it would inherit', async () => {
  const { token, ask } = await serve()
  const odd = token({ rights: { '/': ['Sys.Audit', 'VM.Audit'], '/vms/101': ['VM.Migrate'] } })
  const list = dataIn(await ask(odd, '/cluster/resources')) as { vmid?: number }[]
  const seen = list.flatMap((item) => item.vmid ?? [])
  expect(seen).not.toContain(101)
  expect(seen).toContain(102)
})

test('a right is looked at before the node that it is about', async () => {
  const { token, ask, lab } = await serve()
  const nobody = token({ rights: {} })
  takeFault(lab.state, { kind: 'node-dead', node: 'pve3' })
  expect(await ask(nobody, '/nodes/pve3/status')).toMatchObject({ status: 403 })
})

test('tokens of our own user are us, and outlive a restart of the lab; what makes no sense is refused', async () => {
  const { token, lab, driver } = await serve()
  const made = token({ tokenId: 'coulisse@pve!second' })
  const move = { guest: vmid(101), from: pve3, to: pve1, mode: 'live', withLocalDisks: false } as const
  expect(await driver(made).migrate(move)).toContain('coulisse@pve!second')
  expect(lab.state.commands.at(-1)).toMatchObject({ by: 'us' })
  expect(JSON.parse(JSON.stringify(lab.state)).apiTokens).toHaveLength(1)
  for (const wrong of [
    {},
    { tokenId: 'x' },
    { tokenId: 'a@b!c', without: ['Sys.Modify'] },
    { tokenId: 1 },
    'x',
    null,
  ]) {
    expect(makeToken(lab.state, wrong).status).toBe(400)
  }
  expect(makeToken(lab.state, { tokenId: 'coulisse@pve!coulisse' }).status).toBe(400)
})

test('whether a number is taken is told to everybody', async () => {
  const { token, ask } = await serve()
  const nobody = token({ rights: {} })
  expect(dataIn(await ask(nobody, '/cluster/nextid'))).toBe('100')
  expect(await ask(nobody, '/cluster/nextid?vmid=101')).toMatchObject({
    status: 400,
    body: expect.stringContaining('VM 101 already exists'),
  })
})

const bad = (checks: readonly Check[]) => checks.filter(({ outcome }) => outcome !== 'fine')

test('the doctor finds nothing wrong with the least that is needed, and names what the lab’s own token has besides', async () => {
  const { token, examine, endpoints } = await serve()
  expect(bad(await examine(token({})))).toEqual([])
  const [own] = endpoints
  if (own === undefined) throw new Error('no endpoint')
  expect(bad(await examine(own)).map(({ text }) => text)).toEqual([
    'it may more than it needs: Sys.Modify, VM.PowerMgmt',
  ])
})

test('the doctor names exactly what is missing, and the guests that are hidden by it', async () => {
  const { token, examine } = await serve()
  const checks = bad(await examine(token({ without: ['VM.Audit'] })))
  expect(checks.map(({ outcome, text }) => [outcome, text])).toEqual([
    ['missing', 'it lacks VM.Audit on /vms: guests are hidden, without a word'],
    ['dangerous', expect.stringMatching(/^\d+ guests exist that it does not see, for lack of VM.Audit: 101, 102/)],
  ])
  for (const right of ['Sys.Audit', 'Datastore.Audit', 'SDN.Audit', 'VM.Migrate', 'Sys.PowerMgmt']) {
    const [first] = bad(await examine(token({ without: [right] })))
    expect(first).toMatchObject({ outcome: 'missing', text: expect.stringContaining(`it lacks ${right} on `) })
  }
})

test('one guest that an entry of its own hides is found, rights all complete', async () => {
  const { token, examine } = await serve()
  const rights = ['Sys.Audit', 'VM.Audit', 'Datastore.Audit', 'Pool.Audit', 'Mapping.Audit', 'SDN.Audit']
  const all = [...rights, 'VM.Migrate', 'Sys.PowerMgmt']
  const checks = bad(await examine(token({ rights: { '/': all, '/vms/101': [] } })))
  expect(checks).toHaveLength(1)
  expect(checks[0]).toMatchObject({ outcome: 'dangerous', mend: expect.stringContaining("grep '/vms/101'") })
})

test('a node whose clock is an hour off is dangerous', async () => {
  const { token, examine, lab } = await serve()
  const node = lab.state.nodes.pve2
  if (node === undefined) throw new Error('no pve2')
  node.hardware = { ...node.hardware, clockSkewMs: 3_600_000 }
  const [clock] = bad(await examine(token({})))
  expect(clock).toMatchObject({ area: 'clock', outcome: 'dangerous', subject: expect.stringContaining('pve2') })
  expect(clock?.text).toMatch(/360[01] s ahead of ours/)
})
