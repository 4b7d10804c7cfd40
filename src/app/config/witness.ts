/** Witnesses and what they probe, in the control plane's configuration and in a witness's own. */
import { z } from 'zod'
import { vmid } from '#domain/ids'
import type { ProbeHow, ProbeTarget } from '#domain/probing'

const hostAndPort = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}$/, 'host:port')
const host = z.string().regex(/^[\w:][\w.:-]*$/, 'a host or an address')
const guest = z.number().int().positive()

/** One of three; hosts as addresses where you can: names are looked up at every probe. */
const probeSchema = z.union([
  z.object({ guest, icmp: host }).strict(),
  z.object({ guest, tcp: hostAndPort }).strict(),
  z
    .object({ guest, http: z.url({ protocol: /^https?$/ }), status: z.number().int().min(100).max(599).default(200) })
    .strict(),
])

export const probesSchema = z.array(probeSchema).max(5_000).default([])

export const witnessesSchema = z
  .record(z.string(), z.object({ publicKey: z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits') }).strict())
  .default({})

export type ProbeConfig = z.infer<typeof probeSchema>

export function targetsOf(probes: readonly ProbeConfig[]): readonly ProbeTarget[] {
  return probes.map((probe) => {
    const how = howOf(probe)
    const where = how.is === 'http' ? how.url : how.is === 'tcp' ? `${how.host}:${how.port}` : how.host
    return { id: `${probe.guest} ${how.is} ${where}`, guest: vmid(probe.guest), how }
  })
}

function howOf(probe: ProbeConfig): ProbeHow {
  if ('icmp' in probe) return { is: 'icmp', host: probe.icmp }
  if ('http' in probe) return { is: 'http', url: probe.http, status: probe.status }
  const at = probe.tcp.lastIndexOf(':')
  return { is: 'tcp', host: probe.tcp.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(probe.tcp.slice(at + 1)) }
}
