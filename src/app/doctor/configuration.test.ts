/** What lies open on this machine. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { readConfig } from '../config/read.ts'
import { examineConfiguration } from './configuration.ts'

const folder = mkdtempSync(join(tmpdir(), 'coulisse-doctor-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const path = join(folder, 'coulisse.yaml')
const tokenFile = join(folder, 'token')

const yaml = (more = '') => `cluster: mad1
stateDir: ${folder}
proxmox:
  entryPoints:
    - { url: 'https://192.0.2.1:8006', tokenId: 'coulisse@pve!one', tokenSecret: { file: token }, fingerprint256: 'AA' }
ceph: none
nodes: {}
${more}`

beforeEach(() => {
  writeFileSync(tokenFile, 'a-secret', { mode: 0o600 })
  chmodSync(tokenFile, 0o600)
})

function look(text: string) {
  writeFileSync(path, text)
  return examineConfiguration(readConfig(path), path)
}

test('secrets that their owner alone can read are fine', () => {
  expect(look(yaml())).toMatchObject([{ outcome: 'fine' }])
})

test('a secret that everybody can read is dangerous, with the command that closes it', () => {
  chmodSync(tokenFile, 0o644)
  const checks = look(yaml())
  expect(checks).toMatchObject([{ outcome: 'dangerous', subject: tokenFile, mend: `chmod 600 ${tokenFile}` }])
  expect(checks[0]?.text).toContain('644')
})

test('a password in the database’s address is dangerous, and is not repeated', () => {
  const checks = look(yaml(`database: { url: 'postgresql://coulisse:hunter2@db.example/coulisse' }`))
  expect(checks).toMatchObject([{ outcome: 'dangerous', subject: 'database.url' }])
  expect(JSON.stringify(checks)).not.toContain('hunter2')
  expect(look(yaml(`database: { url: 'postgresql://db.example/coulisse' }`))).toMatchObject([{ outcome: 'fine' }])
})

test('listening everywhere is dangerous: there is no sign-in', () => {
  for (const listen of ['0.0.0.0:8300', '[::]:8300']) {
    expect(look(yaml(`listen: '${listen}'`))).toMatchObject([{ outcome: 'dangerous', subject: 'listen' }])
  }
})
