/** From the checked configuration to drivers behind ports. The only place that knows which driver stands for which port. */
import { dirname } from 'node:path'
import type { Role } from '#domain/cluster'
import { DriverError } from '#domain/driver-error'
import { type CustomerId, customerId, type NodeName, nodeName, vmid } from '#domain/ids'
import { cephStorage } from '#drivers/ceph/ceph-storage'
import { type FilePublisher, filePublisher } from '#drivers/files/publisher'
import { HighsSolver } from '#drivers/highs/solver'
import { labClock } from '#drivers/lab/clock'
import { type LabLink, labLink } from '#drivers/lab/link'
import { labProbe } from '#drivers/lab/probe'
import { witnessedPublisher } from '#drivers/lab/witness'
import { type CephFallbackConfig, type LeaseStore, proxmoxCeph } from '#drivers/proxmox/ceph-fallback'
import { proxmoxHypervisor } from '#drivers/proxmox/hypervisor'
import type { EntryPoint } from '#drivers/proxmox/transport'
import { type SmtpConfig, smtpNotifier } from '#drivers/smtp/smtp-notifier'
import { systemClock } from '#drivers/system/clock'
import type { Ports } from '#ports/all'
import type { Inventory } from '#ports/inventory'
import type { Notifier } from '#ports/notifier'
import type { Probe } from '#ports/probe'
import type { Solver } from '#ports/solver'
import type { Storage } from '#ports/storage'
import { type Bmcs, bmcsOf } from './bmcs.ts'
import type { Config } from './config/schema.ts'
import { secretOf } from './config/secrets.ts'
import { customerRuleOf } from './customers.ts'
import { cephConfigOf, haManagerOf } from './nodes-by-ssh.ts'
import type { KeptPlaces, Places } from './places.ts'
import { placesFor } from './places-of-config.ts'
import { type SampleStore, witnessProbe } from './witness/desk.ts'

export type Drivers = Omit<Ports, 'journal' | 'bmc' | 'solver'> & {
  readonly solver: Solver
  readonly bmc: Bmcs
  readonly pages: FilePublisher
  readonly lab: LabLink | undefined
  close(): Promise<void>
}

/** What outlives a process, where there is a database: leases when Ceph is reached by Proxmox alone, and what was learnt of places. */
export type Keeping = {
  readonly leases?: LeaseStore
  readonly places?: KeptPlaces
  readonly samples?: SampleStore
  readonly log?: (text: string) => void
}

/** `configPath`: secrets in files are found beside it. */
export function makeDrivers(config: Config, configPath: string, keeping: Keeping = {}): Drivers {
  const { leases } = keeping
  const baseDir = dirname(configPath)
  const lab = config.lab === undefined ? undefined : labLink(config.lab.control)
  const clock = lab === undefined ? systemClock() : labClock(lab)
  const entryPoints = entryPointsOf(config, baseDir)
  const bmc = bmcsOf(config, baseDir, clock)
  const { places, netbox } = placesFor(config, configPath, { clock, bmc, keeping })
  const manager = haManagerOf(config, baseDir)
  const hypervisor = proxmoxHypervisor({
    entryPoints,
    clock,
    linkBitsPerSecond: (node) => config.nodes[node]?.linkBitsPerSecond ?? 10e9,
    place: (node) => domainsOf(config, places, node),
    roles: rolesOf(config),
    customerOf: customerRuleOf(config.customersFrom, baseDir),
    ...(manager === undefined ? {} : { haManager: manager }),
  })
  const highs = new HighsSolver()
  const pages = filePublisher(`${config.stateDir}/reports`)
  return {
    clock,
    hypervisor: {
      ...hypervisor,
      // Racks are failure domains: the planner must know those that only NetBox tells.
      observe: async (options) => {
        await places.refresh()
        return hypervisor.observe(options)
      },
    },
    storage: storageOf(config, baseDir, { clock, entryPoints, ...(leases === undefined ? {} : { leases }) }),
    bmc,
    probe: probeOf(config, lab, keeping.samples),
    notifier: notifierOf(config, baseDir),
    inventory: inventoryOf(config, places),
    publisher: lab === undefined ? pages : witnessedPublisher(pages, lab),
    pages,
    lab,
    // A record of its own, as drivers that can be replaced have to be.
    solver: { solve: (problem, limitMs) => highs.solve(problem, limitMs) },
    close: async () => {
      await Promise.all([hypervisor.close(), bmc.close(), netbox?.close(), highs.close()])
    },
  }
}

export function entryPointsOf(config: Config, baseDir: string): readonly EntryPoint[] {
  return config.proxmox.entryPoints.map((entry) => ({
    url: entry.url,
    tokenId: entry.tokenId,
    tokenSecret: secretOf(entry.tokenSecret, baseDir),
    ...(entry.fingerprint256 === undefined ? {} : { fingerprint256: entry.fingerprint256 }),
    ...(entry.ca === undefined ? {} : { ca: secretOf(entry.ca, baseDir).reveal() }),
    ...(entry.node === undefined ? {} : { node: entry.node }),
  }))
}

function domainsOf(
  config: Config,
  places: Places,
  node: NodeName,
): { readonly rack?: string; readonly chassis?: string } {
  const known = config.nodes[node]
  if (known === undefined) return {}
  const { chassis } = known
  return { rack: places.rack(node) ?? known.rack, ...(chassis === undefined ? {} : { chassis }) }
}

const rolesOf = (config: Config): readonly Role[] =>
  config.roles.map((role) => ({
    kind: role.kind,
    ...(role.guest === undefined ? {} : { guest: vmid(role.guest) }),
    ...(role.node === undefined ? {} : { node: nodeName(role.node) }),
  }))

function storageOf(config: Config, baseDir: string, fallback: CephFallbackConfig): Storage {
  if (config.ceph === 'proxmox') return proxmoxCeph(fallback)
  const ceph = cephConfigOf(config, baseDir, fallback.clock)
  return ceph === undefined ? noCeph : cephStorage(ceph)
}

const refuseCeph = async (): Promise<never> => {
  throw new DriverError('ceph', 'act on Ceph', { retry: 'never', text: 'this cluster has no Ceph' })
}

/** A cluster without Ceph: there is nothing to ask and nothing to set. */
const noCeph: Storage = {
  nooutScope: 'host',
  observe: async () => 'none',
  okToStop: refuseCeph,
  setNoout: refuseCeph,
  clearNoout: refuseCeph,
  readLease: async () => undefined,
  writeLease: refuseCeph,
  deleteLease: refuseCeph,
  failMgr: refuseCeph,
  stopOsds: refuseCeph,
}

function probeOf({ probes }: Config, lab: LabLink | undefined, samples: SampleStore | undefined): Probe {
  if (lab !== undefined) return labProbe(lab)
  return samples === undefined || probes.length === 0 ? noProbe : witnessProbe(samples)
}

/** Nobody probes: said so for every guest, never 0. */
const noProbe: Probe = {
  read: async ({ guests }) => guests.map((guest) => ({ is: 'unmeasured', guest, reason: 'no prober is configured' })),
}

function notifierOf(config: Config, baseDir: string): Notifier {
  const smtp = smtpConfigOf(config, baseDir)
  if (smtp !== undefined) return smtpNotifier(smtp)
  return {
    send: async ({ subject }) => {
      throw new DriverError('smtp', `send "${subject}"`, { retry: 'never', text: 'no mail server is configured' })
    },
  }
}

/** Undefined: no mail server is configured. */
export function smtpConfigOf({ smtp }: Config, baseDir: string): SmtpConfig | undefined {
  if (smtp === undefined) return undefined
  const { password, ca, ...rest } = smtp
  return {
    ...rest,
    ...(password === undefined ? {} : { password: secretOf(password, baseDir) }),
    ...(ca === undefined ? {} : { certificate: secretOf(ca, baseDir).reveal() }),
  }
}

function inventoryOf(config: Config, places: Places): Inventory {
  const nodeOf = (node: NodeName) => {
    const known = config.nodes[node]
    if (known !== undefined) return known
    throw new DriverError('inventory', `find ${node}`, {
      retry: 'never',
      text: `the configuration has no node ${node}`,
    })
  }
  return {
    hoster: config.hoster,
    simulated: config.lab !== undefined,
    place: (node) => places.place(node),
    dmi: async (node) => ({ systemUuid: nodeOf(node).systemUuid, serial: nodeOf(node).serial ?? 'unknown' }),
    customer: async (id: CustomerId) => {
      const known = config.customers[id]
      if (known === undefined) return undefined
      const { name, language, timeZone, mail, promisedAvailability } = known
      return {
        id: customerId(id),
        name,
        language,
        timeZone,
        ...(mail === undefined ? {} : { mail }),
        ...(promisedAvailability === undefined ? {} : { promisedAvailability }),
      }
    },
    ...(config.operatorMail === undefined ? {} : { operatorMail: config.operatorMail }),
    ...(config.technicianMail === undefined ? {} : { technicianMail: config.technicianMail }),
  }
}
