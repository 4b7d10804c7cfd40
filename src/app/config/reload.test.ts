/** What a running control plane takes from a configuration that was read again. */
import { expect, test } from 'vitest'
import { parseConfig } from './read.ts'
import { reloadOf } from './reload.ts'

const yaml = (more = '', cluster = 'mad1') => `cluster: ${cluster}
stateDir: /var/lib/coulisse
proxmox:
  entryPoints:
    - { url: 'https://192.0.2.1:8006', tokenId: t, tokenSecret: { env: X }, fingerprint256: AA }
ceph: none
nodes: {}
${more}`
const config = (more?: string, cluster?: string) => parseConfig(yaml(more, cluster), 'c.yaml')
const before = config('operatorMail: noc@example.net')
const reload = (after: ReturnType<typeof config>) => reloadOf({ before, after })

test('people, mails, roles, policy, the watch’s pace and tokens may change', () => {
  expect(reload(config('operatorMail: night@example.net'))).toEqual({ is: 'taken', changed: ['operatorMail'] })
  const more = [
    'customers: { acorn: { name: Acorn Ltd } }',
    'roles: [{ kind: router, guest: 100 }]',
    'policy: { approvalsNeeded: 2 }',
    'watch: { everyS: 30 }',
  ]
  const { is, changed } = reload(config(more.join('\n'))) as { is: string; changed: string[] }
  expect(is).toBe('taken')
  expect(changed.sort()).toEqual(['customers', 'operatorMail', 'policy', 'roles', 'watch'])
})

test('the same is taken too, in whatever order it is written: its secrets may be others', () => {
  expect(reload(config('operatorMail: noc@example.net'))).toEqual({ is: 'taken', changed: [] })
  const turned = yaml('operatorMail: noc@example.net').replace(
    "url: 'https://192.0.2.1:8006', tokenId: t",
    "tokenId: t, url: 'https://192.0.2.1:8006'",
  )
  expect(reload(parseConfig(turned, 'c.yaml'))).toEqual({ is: 'taken', changed: [] })
})

test('another cluster, folder, database or address is refused by name, and so is all that came with it', () => {
  const other = config('database: { url: postgresql://db/x }\noperatorMail: x@y.example\nlisten: 127.0.0.1:9', 'mad2')
  expect(reload(other)).toEqual({ is: 'refused', keys: ['cluster', 'listen', 'database'] })
})
