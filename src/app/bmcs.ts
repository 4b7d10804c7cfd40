/** Each node's BMC by its own protocol, what the doctor says of it, and its events. */
import { readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import type { Check } from '#domain/check'
import { type NodeName, nodeName } from '#domain/ids'
import { examineIpmi } from '#drivers/ipmi/examine'
import { ipmiBmc } from '#drivers/ipmi/ipmi-bmc'
import type { IpmiNode } from '#drivers/ipmi/session'
import type { RedfishNode } from '#drivers/redfish/client'
import { type EventWay, listenForEvents } from '#drivers/redfish/events'
import { examineRedfish } from '#drivers/redfish/examine'
import { redfishBmc } from '#drivers/redfish/redfish-bmc'
import type { Bmc } from '#ports/bmc'
import type { Clock } from '#ports/clock'
import { BadInput } from './bad-input.ts'
import type { Config } from './config/schema.ts'
import { secretOf } from './config/secrets.ts'

export type Bmcs = Bmc & {
  /** Never throws for what it finds. */
  examine(node: NodeName): Promise<readonly Check[]>
  /** Events from now on, where the configuration wants them and BMCs speak Redfish; until `close`. */
  listen(onEvent: (node: NodeName) => void, log: (text: string) => void): Promise<void>
  /** No events any more; their listener's port is free again. */
  stopListening(): Promise<void>
  close(): Promise<void>
}

export function bmcsOf(config: Config, baseDir: string, clock: Clock): Bmcs {
  const redfishNodes: Record<string, RedfishNode> = {}
  const ipmiNodes: Record<string, IpmiNode> = {}
  for (const [node, { bmc }] of Object.entries(config.nodes)) {
    const password = secretOf(bmc.password, baseDir)
    if (bmc.kind === 'redfish') redfishNodes[node] = { ...bmc, password }
    else ipmiNodes[node] = { ...bmc, password }
  }
  const redfish = redfishBmc({ nodes: redfishNodes, clock })
  const cacheDir = join(config.stateDir, 'ipmi')
  const ipmi = ipmiBmc({ nodes: ipmiNodes, clock, cacheDir })
  const of = (node: NodeName): Bmc => (node in ipmiNodes ? ipmi : redfish)
  let closeEvents = async () => {}
  const stopListening = async () => {
    const close = closeEvents
    closeEvents = async () => {}
    await close()
  }
  return {
    identity: (node) => of(node).identity(node),
    power: (node) => of(node).power(node),
    powerOn: (node) => of(node).powerOn(node),
    softOff: (node) => of(node).softOff(node),
    setLocate: (node, on) => of(node).setLocate(node, on),
    fans: (node) => of(node).fans(node),
    powerRestorePolicy: (node) => of(node).powerRestorePolicy(node),
    hardware: (node) => of(node).hardware(node),
    signals: (node, cursor) => of(node).signals(node, cursor),
    examine: async (node) => {
      const known = config.nodes[node]
      if (known === undefined) return []
      const expected = { systemUuid: known.systemUuid, serial: known.serial ?? 'unknown' }
      const nowMs = await clock.nowMs()
      const [ipmiNode, redfishNode] = [ipmiNodes[node], redfishNodes[node]]
      if (ipmiNode !== undefined) return examineIpmi({ node, target: ipmiNode, expected, nowMs, cacheDir })
      return redfishNode === undefined ? [] : examineRedfish({ node, target: redfishNode, expected, nowMs })
    },
    listen: async (onEvent, log) => {
      const way = eventWay(config, baseDir)
      const askers = Object.keys(redfishNodes).map((node) => redfish.asker(nodeName(node)))
      if (way === 'off' || askers.length === 0) return
      const events = await listenForEvents({ askers, way, onEvent, log })
      closeEvents = events.close
    },
    stopListening,
    close: async () => {
      // Subscriptions are deleted by the same clients, so those end last.
      await stopListening()
      await Promise.all([redfish.close(), ipmi.close()])
    },
  }
}

function eventWay({ watch }: Config, baseDir: string): EventWay | 'off' {
  const { events } = watch
  if (events === 'off') return 'off'
  if (events === 'sse') return { is: 'sse' }
  const { listen, url, cert, key } = events.push
  const at = listen.lastIndexOf(':')
  return {
    is: 'push',
    host: listen.slice(0, at).replace(/^\[(.*)\]$/, '$1'),
    port: Number(listen.slice(at + 1)),
    ...(url === undefined ? {} : { url: url.replace(/\/$/, '') }),
    ...(cert === undefined || key === undefined ? {} : { tls: { cert: pem(cert, baseDir), key: pem(key, baseDir) } }),
  }
}

function pem(file: string, baseDir: string): string {
  const path = isAbsolute(file) ? file : resolve(baseDir, file)
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new BadInput([`watch.events.push: ${path} cannot be read`])
  }
}
