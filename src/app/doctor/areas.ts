/** The areas that need few words: database, Ceph, HA's maintenance mode, mail, prober. */
import { dirname } from 'node:path'
import type { Check } from '#domain/check'
import { examineCeph } from '#drivers/ceph/examine'
import { examineHaManager } from '#drivers/ha-manager/examine'
import { examineDatabase } from '#drivers/postgres/examine'
import { examineSmtp } from '#drivers/smtp/examine'
import type { Config } from '../config/schema.ts'
import { databaseUrlOf } from '../config/secrets.ts'
import type { Drivers } from '../drivers.ts'
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
  if (config.ceph === 'none') return [{ ...base, outcome: 'fine', text: 'none, by the configuration' }]
  const seen = await storage.observe()
  if (seen === 'none') {
    const text = 'the configuration names one, and the cluster has none'
    return [{ ...base, outcome: 'missing', text, stages: ['isolate'], mend: 'ceph: none' }]
  }
  const text = `answers: ${seen.osds.length} OSDs, ${seen.monitors.length} monitors, ${seen.pools.length} pools`
  const fine: Check = { ...base, outcome: 'fine', text }
  return [
    fine,
    {
      ...base,
      outcome: 'dangerous',
      text: 'reached through Proxmox, noout is set for the whole cluster, and the token needs Sys.Modify on /',
      stages: ['isolate'],
      mend: './coulisse init --print-rights shows how to make a Ceph user that may less; then ceph: { conf: …, keyring: …, name: client.coulisse }',
    },
  ]
}

/** Whom a finding and a work order would reach. */
export async function examineMail(config: Config): Promise<readonly Check[]> {
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
  if (config.smtp !== undefined) return [...(await examineSmtp(config.smtp)), ...unnamed]
  const text = 'no mail server is configured: nobody hears of a finding, a work order or a report'
  const mend = 'smtp: { host: …, port: 25, from: … }'
  return [
    { area: 'mail', subject: 'smtp', outcome: 'missing', text, stages: ['plan', 'repair', 'tell'], mend },
    ...unnamed,
  ]
}
