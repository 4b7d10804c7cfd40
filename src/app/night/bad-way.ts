/** A night whose Proxmox is asked over the wire, by the real driver, through a proxy that delays, cuts and repeats. */
import { secret } from '#domain/secret'
import { proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import { type Transport, tlsTransport } from '#drivers/proxmox/transport'
import { promisesAreQuiet } from '#lab/engine/simulate'
import type { VirtualClock } from '#lab/virtual-clock'
import { type FaultProxy, serveFaultProxy, type WayFaults } from '#lab/wire/fault-proxy'
import { serveProxmox } from '#lab/wire/proxmox/serve'
import { type LabCertificate, selfSignedCertificate } from '#lab/wire/tls'
import { setMaintenanceMode } from '#lab/world/commands'
import type { LabWorld } from '#lab/world/lab-world'
import type { Outside } from './play.ts'

/** World time stands while a call is under way, so real deadlines only end what would never end. */
const DEADLINE_MS = 5_000

export type BadWay = Outside & { readonly proxy: FaultProxy }

export async function badWay(
  lab: LabWorld,
  clock: VirtualClock,
  options: {
    readonly seed: number
    readonly faults: WayFaults
    readonly onAsked?: (method: string, path: string) => void
  },
): Promise<BadWay> {
  const certificates = certificatesOf(Object.keys(lab.state.nodes), clock.atMs)
  const served = await serveProxmox({ lab, onChange: () => {}, certificates })
  const calls = callCounter()
  const sleep = (ms: number, gone?: AbortSignal) => calls.parked(clock.sleepUntil(clock.atMs + ms, gone))
  const proxy = await serveFaultProxy({
    endpoints: served.endpoints,
    certificates,
    ...options,
    nowMs: () => clock.atMs,
    sleep,
  })
  const hypervisor = proxmoxHypervisor({
    entryPoints: proxy.endpoints.map((endpoint) => ({ ...endpoint, tokenSecret: secret(endpoint.tokenSecret) })),
    clock,
    linkBitsPerSecond: (node) => lab.state.nodes[node]?.linkBitsPerSecond ?? 10e9,
    haManager: {
      async setMaintenanceMode(node, on) {
        setMaintenanceMode(lab.state, node, on, 'us')
      },
    },
    readDeadlineMs: DEADLINE_MS,
    writeDeadlineMs: DEADLINE_MS,
    pause: (ms) => clock.sleepUntil(clock.atMs + ms),
    transport: (entry) => calls.counted(tlsTransport(entry)),
  })
  return {
    proxy,
    ports: { hypervisor },
    quiet: calls.quiet,
    async close() {
      await hypervisor.close()
      await proxy.close()
      await served.close()
    },
  }
}

/** Made once a process: a key for each of hundreds of short nights would cost more than the nights. */
const made = new Map<string, LabCertificate>()

function certificatesOf(nodes: readonly string[], nowMs: number): Readonly<Record<string, LabCertificate>> {
  for (const node of nodes) if (!made.has(node)) made.set(node, selfSignedCertificate(node, nowMs))
  return Object.fromEntries(nodes.map((node) => [node, made.get(node) as LabCertificate]))
}

/** Knows whether a request is under way that does not wait for the world itself. Whoever waits for another's request needs no count. */
function callCounter() {
  let underWay = 0
  let parkedCount = 0
  let wake: () => void = () => {}
  const change = (by: { readonly calls?: number; readonly parked?: number }) => {
    underWay += by.calls ?? 0
    parkedCount += by.parked ?? 0
    wake()
  }
  return {
    async parked(sleeping: Promise<void>): Promise<void> {
      change({ parked: 1 })
      try {
        await sleeping
      } finally {
        change({ parked: -1 })
      }
    },
    counted: (transport: Transport): Transport => ({
      close: transport.close,
      async send(request) {
        change({ calls: 1 })
        try {
          return await transport.send(request)
        } finally {
          change({ calls: -1 })
        }
      },
    }),
    async quiet(): Promise<void> {
      await promisesAreQuiet()
      while (underWay > parkedCount) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        await promisesAreQuiet()
      }
    },
  }
}
