/** The areas that need few words: database, Ceph, HA's maintenance mode, mail, prober. */
import { dirname } from 'node:path'
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { countText } from '#domain/figures'
import { examineCeph } from '#drivers/ceph/examine'
import { examineHaManager } from '#drivers/ha-manager/examine'
import { examineDatabase } from '#drivers/postgres/examine'
import { examineSmtp } from '#drivers/smtp/examine'
import type { Config } from '../config/schema.ts'
import { databaseUrlOf } from '../config/secrets.ts'
import { type Drivers, entryPointsOf, smtpConfigOf } from '../drivers.ts'
import { lookAtCluster } from '../init/look.ts'
import { cephConfigOf, sshNodesOf, sshRightsOf } from '../nodes-by-ssh.ts'

/** Our own embedded one is not started for a look. */
export async function examineStore(config: Config, path: string): Promise<readonly Check[]> {
  const url = databaseUrlOf(config, path)
  if (url !== undefined) return examineDatabase(url, Date.now)
  const text = `our own embedded PostgreSQL, kept in ${config.stateDir}; the control plane starts it`
  return [{ area: 'database', subject: 'embedded', outcome: 'fine', text }]
}

/** A key of ours on the nodes, or a command of one's own, or neither. */
export function examineNodeAccess(config: Config, path: string): Promise<readonly Check[]> {
  const way = config.proxmox.haManager
  const byOwnCommand = way !== undefined && way !== 'ssh'
  return examineHaManager({ ssh: sshNodesOf(config, dirname(path)), rights: sshRightsOf(config), byOwnCommand })
}

export async function examineStorage(config: Config, path: string, drivers: Drivers): Promise<readonly Check[]> {
  const { storage, clock } = drivers
  const byCommand = cephConfigOf(config, dirname(path), clock)
  if (byCommand !== undefined) return examineCeph(byCommand, Object.keys(config.nodes))
  const base = { area: 'ceph', subject: 'Ceph' } as const
  if (config.ceph === 'none')
    return [(await hasCeph(config, path)) ? overlooked : { ...base, outcome: 'fine', text: NONE }]
  const seen = await storage.observe()
  if (seen === 'none') {
    const text = 'the configuration names one, and the cluster has none'
    return [{ ...base, outcome: 'missing', text, stages: ['isolate'], mend: 'ceph: none' }]
  }
  const { osds, monitors, pools } = seen
  const counts = [countText(osds.length, 'OSD'), countText(monitors.length, 'monitor'), countText(pools.length, 'pool')]
  const text = `answers: ${counts.join(', ')}`
  const found: Check[] = [{ ...base, outcome: 'fine', text }]
  if (storage.nooutScope === 'cluster') {
    found.push({
      ...base,
      outcome: 'dangerous',
      text: 'reached through Proxmox, noout is set for the whole cluster, and the token needs Sys.Modify on /',
      stages: ['isolate'],
      mend: './coulisse init --print-rights shows how to make a Ceph user that may less; then ceph: { conf: …, keyring: …, name: client.coulisse }',
    })
  }
  return found
}

const NONE = 'none, by the configuration'
const overlooked: Check = {
  area: 'ceph',
  subject: 'Ceph',
  outcome: 'dangerous',
  text: 'the cluster has one and the configuration says none: a node would go without asking it, and without noout',
  stages: ['plan', 'isolate', 'verify', 'reintegrate'],
  mend: './coulisse init --print-rights shows how to make our Ceph user; then ceph: { conf: …, keyring: …, name: client.coulisse }',
}

/** By the first entry point that answers; where none does, another check says so. */
async function hasCeph(config: Config, path: string): Promise<boolean> {
  for (const entry of entryPointsOf(config, dirname(path))) {
    try {
      return (await lookAtCluster(entry)).hasCeph === true
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
    }
  }
  return false
}

/** Whom a finding and a work order would reach. */
export async function examineMail(config: Config, path: string): Promise<readonly Check[]> {
  const unnamed = [
    ...(config.operatorMail === undefined ? [['operatorMail', 'who approves'] as const] : []),
    ...(config.technicianMail === undefined ? [['technicianMail', 'whose hands repair'] as const] : []),
  ].map(
    ([key, who]): Check => ({
      area: 'mail',
      subject: key,
      outcome: 'missing',
      text: `nobody wrote down ${who}: no mail reaches them`,
      stages: ['plan', 'repair'],
      mend: `${key}: …`,
    }),
  )
  const smtp = smtpConfigOf(config, dirname(path))
  if (smtp !== undefined) return [...(await examineSmtp(smtp)), ...unnamed]
  const text = 'no mail server is configured: nobody hears of a finding, a work order or a report'
  const mend = 'smtp: { host: …, port: 25, from: … }'
  return [
    { area: 'mail', subject: 'smtp', outcome: 'missing', text, stages: ['plan', 'repair', 'tell'], mend },
    ...unnamed,
  ]
}
