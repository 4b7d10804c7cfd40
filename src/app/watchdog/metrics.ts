/** What the watchdog saw, as Prometheus reads it. What was not seen has no series: a 0 would be a claim. */

import type { Standing } from '#story/watchdog/ledger'
import type { WatchdogFacts } from '#story/watchdog/observation'
import { ALERT_KINDS } from '#story/watchdog/observation'

type Sample = { readonly labels?: Readonly<Record<string, string>>; readonly value: number }

type Family = { readonly name: string; readonly help: string; readonly samples: readonly Sample[] }

export function metricsOf(
  facts: WatchdogFacts,
  standing: readonly Standing[],
  undelivered: number,
  blind: readonly string[],
): string {
  const families: readonly Family[] = [
    {
      name: 'coulisse_watchdog_last_look_timestamp_seconds',
      help: 'When the watchdog looked last. Alert on its age: a dead watchdog is silent.',
      samples: [{ value: facts.nowMs / 1000 }],
    },
    { name: 'coulisse_watchdog_seen', help: '1: it answered. 0: it did not.', samples: seenSamples(facts) },
    {
      name: 'coulisse_watchdog_alerts',
      help: 'What stands, by kind. No series: it could not be judged.',
      samples: ALERT_KINDS.flatMap((kind) => {
        const value = standing.filter(({ alert }) => alert.kind === kind).length
        return value === 0 && (blind.includes(kind) || kind === 'lease-released') ? [] : [{ labels: { kind }, value }]
      }),
    },
    {
      name: 'coulisse_watchdog_alert_since_timestamp_seconds',
      help: 'Each that stands, with the time since which it does.',
      samples: standing.map(({ alert: { kind, subject, severity }, firstMs }) => ({
        labels: { kind, subject, severity },
        value: firstMs / 1000,
      })),
    },
    {
      name: 'coulisse_watchdog_undelivered',
      help: 'Channels (mail, webhook) that could not be told what was due.',
      samples: [{ value: undelivered }],
    },
    { name: 'coulisse_lease_expires_timestamp_seconds', help: 'Noout leases by host.', samples: leaseSamples(facts) },
    {
      name: 'coulisse_maintenances_open',
      help: 'Maintenances that run, are stuck, or broke off.',
      samples: maintenanceSamples(facts),
    },
  ]
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(familyText)
    .join('')
}

function seenSamples({ controlPlane, database, ceph, proxmox }: WatchdogFacts): readonly Sample[] {
  const looks = { 'control plane': controlPlane, database, ceph, proxmox }
  return Object.entries(looks).flatMap(([what, { is }]) =>
    is === 'not-asked' ? [] : [{ labels: { what }, value: is === 'seen' ? 1 : 0 }],
  )
}

function leaseSamples({ ceph }: WatchdogFacts): readonly Sample[] {
  if (ceph.is !== 'seen') return []
  return ceph.value.leases.map(({ host, owner, expiresAtMs }) => ({
    labels: { host, owner },
    value: expiresAtMs / 1000,
  }))
}

function maintenanceSamples({ database }: WatchdogFacts): readonly Sample[] {
  if (database.is !== 'seen') return []
  return (['running', 'stuck', 'crashed'] as const).map((state) => ({
    labels: { state },
    value: database.value.maintenances.filter(({ saga }) => saga === state).length,
  }))
}

function familyText({ name, help, samples }: Family): string {
  const lines = samples.map(({ labels, value }) => `${name}${labelsText(labels)} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`
}

function labelsText(labels: Sample['labels']): string {
  if (labels === undefined) return ''
  return `{${Object.entries(labels)
    .map(([key, value]) => `${key}="${escaped(value)}"`)
    .join(',')}}`
}

const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
