/** From the checked configuration to Prometheus' client, the mapping of its labels, and the receiver of alerts. */
import { dirname } from 'node:path'
import { type NodeName, nodeName } from '#domain/ids'
import type { PrometheusConfig } from '#drivers/prometheus/client'
import { DEFAULT_NODE_LABELS, DEFAULT_PART_LABELS, type Placing } from '#drivers/prometheus/placing'
import type { Trust } from '#drivers/tls/json-service'
import type { Config } from './config/schema.ts'
import type { SecretRef } from './config/secret-schema.ts'
import { secretOf } from './config/secrets.ts'

export function placingOf(config: Config): Placing {
  const { node, part, rules } = config.monitoringLabels
  return {
    nodes: Object.keys(config.nodes).map(nodeName),
    aliases: addressesOf(config),
    nodeLabels: node ?? DEFAULT_NODE_LABELS,
    partLabels: part ?? DEFAULT_PART_LABELS,
    rules: rules.map(({ match, node: name }) => ({ match: new RegExp(match), node: name })),
  }
}

/** The BMCs' own, for the IPMI exporter calls its targets so. One that several nodes share, behind ports, names none of them. */
function addressesOf(config: Config): Readonly<Record<string, NodeName>> {
  const named = Object.entries(config.nodes).flatMap(([name, { bmc }]) => {
    const node = nodeName(name)
    if (bmc.kind === 'redfish') return [[new URL(bmc.url).hostname, node] as const]
    return [[bmc.host, node] as const, [`${bmc.host}:${bmc.port}`, node] as const]
  })
  const isOne = (address: string) => named.filter(([other]) => other === address).length === 1
  return Object.fromEntries(named.filter(([address]) => isOne(address)))
}

export function prometheusConfigOf(config: Config, configPath: string): PrometheusConfig | undefined {
  const { prometheus } = config
  if (prometheus === undefined) return undefined
  const { url, user, password, token } = prometheus
  const baseDir = dirname(configPath)
  const base = { url, trust: trustOf(prometheus, baseDir) }
  if (token !== undefined) return { ...base, signIn: { is: 'bearer', token: secretOf(token, baseDir) } }
  if (user === undefined || password === undefined) return { ...base, signIn: { is: 'none' } }
  return { ...base, signIn: { is: 'basic', user, password: secretOf(password, baseDir) } }
}

export function trustOf(
  { fingerprint256, ca }: { readonly fingerprint256?: string | undefined; readonly ca?: SecretRef | undefined },
  baseDir: string,
): Trust {
  return {
    ...(fingerprint256 === undefined ? {} : { fingerprint256 }),
    ...(ca === undefined ? {} : { ca: secretOf(ca, baseDir).reveal() }),
  }
}

export type AlertListener = {
  readonly host: string
  readonly port: number
  readonly cert: string
  readonly key: string
  readonly clientCa: string | undefined
}

export function alertListenerOf(config: Config, configPath: string): AlertListener | undefined {
  const listen = config.alertmanager?.listen
  if (listen === undefined) return undefined
  const read = (ref: SecretRef) => secretOf(ref, dirname(configPath)).reveal()
  const at = listen.at.lastIndexOf(':')
  return {
    host: listen.at.slice(0, at),
    port: Number(listen.at.slice(at + 1)),
    cert: read(listen.cert),
    key: read(listen.key),
    clientCa: listen.clientCa === undefined ? undefined : read(listen.clientCa),
  }
}
