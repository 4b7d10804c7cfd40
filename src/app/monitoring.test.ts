/** The keys of Prometheus and Alertmanager, and what becomes of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { nodeIn } from '#drivers/prometheus/placing'
import { BadInput } from './bad-input.ts'
import { parseConfig } from './config/read.ts'
import { alertListenerOf, placingOf, prometheusConfigOf } from './monitoring.ts'

const folder = mkdtempSync(join(tmpdir(), 'coulisse-monitoring-'))
const path = join(folder, 'c.yaml')
for (const name of ['token', 'cert', 'key', 'ca']) writeFileSync(join(folder, name), `the ${name}\n`)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const BASE = `cluster: mad1
stateDir: /var/lib/coulisse
proxmox:
  entryPoints:
    - { url: 'https://192.0.2.11:8006', tokenId: 'a@pve!b', tokenSecret: { file: token }, fingerprint256: AA }
ceph: none
nodes:
  pve1: { serial: S1, systemUuid: U1, bmc: { kind: ipmi, host: 192.0.2.21, user: u, password: { file: token } } }
  pve2: { serial: S2, systemUuid: U2, bmc: { kind: redfish, url: 'https://bmc2.example', user: u, password: { file: token } } }
  pve3: { serial: S3, systemUuid: U3, bmc: { kind: ipmi, host: 127.0.0.1, port: 9001, user: u, password: { file: token } } }
  pve4: { serial: S4, systemUuid: U4, bmc: { kind: ipmi, host: 127.0.0.1, port: 9002, user: u, password: { file: token } } }
`
const config = (more: string) => parseConfig(`${BASE}${more}`, 'c.yaml')

function faultsOf(more: string): string {
  try {
    config(more)
  } catch (error) {
    if (error instanceof BadInput) return error.faults.join('\n')
    throw error
  }
  return ''
}

test('nodes are known by their names, by rules, and by the addresses of their BMCs, unless several share one', () => {
  const placing = placingOf(config("monitoringLabels: { rules: [{ match: '^rack7-(.+)$', node: 'pve$1' }] }"))
  const nodeOf = (instance: string) => nodeIn({ instance }, placing)
  expect(['pve2:9100', '192.0.2.21', '192.0.2.21:623', 'bmc2.example', 'rack7-4'].map(nodeOf)).toEqual([
    'pve2',
    'pve1',
    'pve1',
    'pve2',
    'pve4',
  ])
  expect(['127.0.0.1:9001', '127.0.0.1:9002', '127.0.0.1'].map(nodeOf)).toEqual(['pve3', 'pve4', undefined])
})

test('Prometheus: how we sign in, and whom we trust', () => {
  const of = (more: string) => prometheusConfigOf(config(more), path)
  expect(of('')).toBeUndefined()
  expect(of('prometheus: { url: https://p.example }')).toMatchObject({ signIn: { is: 'none' }, trust: {} })
  expect(
    of('prometheus: { url: https://p.example, user: u, password: { file: token }, ca: { file: ca } }'),
  ).toMatchObject({
    signIn: { is: 'basic', user: 'u' },
    trust: { ca: 'the ca' },
  })
  const byToken = of('prometheus: { url: https://p.example, token: { file: token }, fingerprint256: AA }')
  expect(byToken).toMatchObject({ signIn: { is: 'bearer' }, trust: { fingerprint256: 'AA' } })
  expect(JSON.stringify(byToken)).not.toContain('the token')
})

test('a receiver that anybody could speak to is refused, and half a sign-in too', () => {
  const listen = 'listen: { at: 0.0.0.0:8443, cert: { file: cert }, key: { file: key }'
  expect(faultsOf('alertmanager: {}')).toContain('a secret or listen.clientCa is needed')
  expect(faultsOf(`alertmanager: { ${listen} } }`)).toContain('a secret or listen.clientCa is needed')
  expect(faultsOf(`alertmanager: { ${listen}, clientCa: { file: ca } } }`)).toBe('')
  expect(faultsOf('prometheus: { url: https://p.example, user: u }')).toContain('come together')
  expect(faultsOf("monitoringLabels: { rules: [{ match: '(', node: x }] }")).toContain('no regular expression')
  expect(alertListenerOf(config(`alertmanager: { ${listen}, clientCa: { file: ca } } }`), path)).toEqual({
    host: '0.0.0.0',
    port: 8443,
    cert: 'the cert',
    key: 'the key',
    clientCa: 'the ca',
  })
})
