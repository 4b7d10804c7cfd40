/** The ways out of the house: mail and webhook. Each is told by itself, so that one that is down keeps nothing from the other. */
import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { Secret } from '#domain/secret'
import { postJson, type WebhookConfig } from '#drivers/webhook/webhook'
import type { Notifier } from '#ports/notifier'
import type { Channel, Shout } from '#story/watchdog/ledger'
import { mailOf } from '#story/watchdog/words'
import type { Config } from '../config/schema.ts'
import { secretOf } from '../config/secrets.ts'
import { trustOf } from '../monitoring.ts'

export type Way = { readonly channel: Channel; tell(shouts: readonly Shout[], nowMs: number): Promise<void> }

/** What one post says at most; the rest is counted, and stands in the metrics. */
const SHOUTS_LIMIT = 50

/** Empty: nobody would hear it. */
export function waysOf(config: Config, configPath: string, notifier: Notifier): readonly Way[] {
  const mail = config.watchdog?.mail ?? config.operatorMail
  const webhook = webhookOf(config, dirname(configPath))
  const { cluster } = config
  return [
    ...(mail === undefined || config.smtp === undefined ? [] : [mailWay(notifier, mail, cluster)]),
    ...(webhook === undefined ? [] : [webhookWay(webhook, cluster)]),
  ]
}

function mailWay(notifier: Notifier, to: string, cluster: string): Way {
  return {
    channel: 'mail',
    tell: (shouts, nowMs) => notifier.send({ to, ...mailOf(shouts, cluster, nowMs) }),
  }
}

function webhookWay(webhook: WebhookConfig, cluster: string): Way {
  return {
    channel: 'webhook',
    tell: (shouts, nowMs) => {
      const { key } = mailOf(shouts, cluster, nowMs)
      return postJson(webhook, createHash('sha256').update(key).digest('hex'), bodyOf(shouts, cluster, nowMs))
    },
  }
}

const bodyOf = (shouts: readonly Shout[], cluster: string, nowMs: number) => ({
  version: 1,
  from: 'coulisse watchdog',
  cluster,
  at: new Date(nowMs).toISOString(),
  shouts: shouts.slice(0, SHOUTS_LIMIT).map(({ is, key, alert, sinceMs }) => ({
    is,
    key,
    ...alert,
    since: new Date(sinceMs).toISOString(),
  })),
  leftOutCount: Math.max(0, shouts.length - SHOUTS_LIMIT),
})

function webhookOf({ watchdog }: Config, baseDir: string): WebhookConfig | undefined {
  const webhook = watchdog?.webhook
  if (webhook === undefined) return undefined
  const { url, token } = webhook
  return {
    url: typeof url === 'string' ? new Secret(url) : secretOf(url, baseDir),
    ...(token === undefined ? {} : { token: secretOf(token, baseDir) }),
    trust: trustOf(webhook, baseDir),
  }
}
