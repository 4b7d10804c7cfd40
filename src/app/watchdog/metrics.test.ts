import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { EMPTY_LEDGER, enter } from '#story/watchdog/ledger'
import type { WatchdogFacts } from '#story/watchdog/observation'
import { parseConfig } from '../config/read.ts'
import { examineWatchdog } from '../doctor/watchdog.ts'
import { readLedger, writeLedger } from './files.ts'
import { metricsOf } from './metrics.ts'
import { healthAt } from './watchdog.ts'

const facts: WatchdogFacts = {
  nowMs: 1_700_000_000_500,
  controlPlane: { is: 'not-asked' },
  database: { is: 'unseen', text: 'refused' },
  ceph: {
    is: 'seen',
    value: {
      ceph: 'none',
      nooutScope: 'host',
      unreadable: [],
      leases: [
        {
          owner: 'coulisse/"x"\\',
          host: nodeName('pve3'),
          reason: '',
          setAtMs: 0,
          expiresAtMs: 9_000,
          flagsBefore: [],
        },
      ],
    },
  },
  proxmox: { is: 'seen', value: [] },
}

const alert = { kind: 'database-gone', subject: 'database', severity: 'critical', text: 't', mend: 'm' } as const

test('what was not seen has no series, and never a 0', () => {
  const blind = ['maintenance-overdue', 'maintenance-stuck']
  const text = metricsOf(facts, [{ alert, firstMs: 5_000, toldMs: {} }], 1, blind)
  const lines = text.split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'coulisse_watchdog_last_look_timestamp_seconds 1700000000.5',
      'coulisse_watchdog_seen{what="database"} 0',
      'coulisse_watchdog_seen{what="ceph"} 1',
      'coulisse_watchdog_alerts{kind="database-gone"} 1',
      'coulisse_watchdog_alerts{kind="lease-expired"} 0',
      'coulisse_watchdog_alert_since_timestamp_seconds{kind="database-gone",subject="database",severity="critical"} 5',
      'coulisse_watchdog_undelivered 1',
      'coulisse_lease_expires_timestamp_seconds{host="pve3",owner="coulisse/\\"x\\"\\\\"} 9',
    ]),
  )
  expect(text).not.toMatch(/coulisse_maintenances_open|kind="maintenance-overdue"|what="control plane"/)
  expect(text.endsWith('\n')).toBe(true)
})

const folder = mkdtempSync(join(tmpdir(), 'coulisse-watchdog-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('what was told is kept between two processes; a broken file is none, and is said', () => {
  const path = join(folder, 'deep', 'watchdog.json')
  expect(readLedger(path)).toEqual({ ledger: EMPTY_LEDGER, lastLookMs: undefined })
  const ledger = enter(EMPTY_LEDGER, { alerts: [alert], blind: [] }, 7)
  writeLedger(path, ledger, 8)
  expect(readLedger(path)).toEqual({ ledger, lastLookMs: 8 })
  expect(readdirSync(join(folder, 'deep'))).toEqual(['watchdog.json'])
  const said: string[] = []
  for (const text of ['{', '{"version":2}', '']) {
    writeFileSync(path, text)
    expect(readLedger(path, (one) => said.push(one))).toEqual({ ledger: EMPTY_LEDGER, lastLookMs: undefined })
  }
  expect(said).toHaveLength(3)
})

test('the doctor says when it looked last, and that it does not any more', () => {
  const path = join(folder, 'coulisse.yaml')
  const yaml = (more: string) => `cluster: mad1
stateDir: ${folder}
proxmox: { entryPoints: [{ url: 'https://192.0.2.1', tokenId: t, tokenSecret: { env: X }, fingerprint256: AA }] }
ceph: none
nodes: {}
${more}`
  const look = (more: string, nowMs: number) => examineWatchdog(parseConfig(yaml(more), 'c.yaml'), path, nowMs)
  expect(look('', 0)).toMatchObject([{ outcome: 'fine', text: expect.stringContaining('none is set up') }])
  expect(look('watchdog: { state: w.json }', 0)).toMatchObject([{ outcome: 'missing', text: 'it has never looked' }])
  writeLedger(join(folder, 'w.json'), EMPTY_LEDGER, 1_000)
  expect(look('watchdog: { state: w.json }', 61_000)).toMatchObject([{ outcome: 'fine', text: 'looked 1 min ago' }])
  expect(look('watchdog: { state: w.json }', 3_601_000)).toMatchObject([{ outcome: 'missing' }])
})

test('the control plane is asked where it listens, on this machine where it listens everywhere', () => {
  expect(healthAt('127.0.0.1:8300')).toBe('http://127.0.0.1:8300/api/health')
  expect(healthAt('0.0.0.0:8300')).toBe('http://127.0.0.1:8300/api/health')
  expect(healthAt('[::1]:8300')).toBe('http://[::1]:8300/api/health')
  expect(healthAt('127.0.0.1:0')).toBeUndefined()
})
