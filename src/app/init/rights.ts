/** The commands that give Coulisse the rights that it needs, and no more. Pure. */
import { cephxCommand } from '#drivers/ceph/cephx-caps'

const OBSERVE = ['Sys.Audit', 'VM.Audit', 'Datastore.Audit', 'Pool.Audit', 'Mapping.Audit', 'SDN.Audit']

/** One role for what one stage needs, so that a right can be taken away with the stage. */
const ROLES = [
  { role: 'CoulisseObserve', rights: OBSERVE, path: '/' },
  { role: 'CoulisseDrain', rights: ['VM.Migrate'], path: '/vms' },
  { role: 'CoulissePower', rights: ['Sys.PowerMgmt'], path: '/nodes' },
] as const
const CEPH_ROLE = { role: 'CoulisseCeph', rights: ['Sys.Modify'], path: '/' } as const

/**
 * `pveum` lines for one token. Its rights are those that it *and* its user have, and a role on /vms or /nodes replaces what would be
 * inherited from /: so both get each role, and CoulisseObserve stands on every path.
 * @param viaProxmox Ceph is reached through Proxmox's API: that takes Sys.Modify on /
 */
export function tokenCommands(tokenId: string, { viaProxmox }: { readonly viaProxmox: boolean }): readonly string[] {
  const [user = '', id = ''] = tokenId.split('!')
  const roles = viaProxmox ? [...ROLES, CEPH_ROLE] : ROLES
  const paths = [...new Set(roles.map(({ path }) => path))]
  const rolesAt = (at: string) => [
    'CoulisseObserve',
    ...roles.filter(({ role, path }) => path === at && role !== 'CoulisseObserve').map(({ role }) => role),
  ]
  return [
    `pveum user add ${user} --comment Coulisse`,
    ...roles.map(({ role, rights }) => `pveum role add ${role} --privs '${rights.join(' ')}'`),
    ...paths.map((path) => `pveum acl modify ${path} --users ${user} --roles ${rolesAt(path).join(',')}`),
    `pveum user token add ${user} ${id} --privsep 1   # prints the secret, once`,
    ...paths.map((path) => `pveum acl modify ${path} --tokens '${tokenId}' --roles ${rolesAt(path).join(',')}`),
  ]
}

/** On one line, to be typed where `ceph` works. */
export const cephUserCommand = (keyring: string) => `${cephxCommand.replaceAll(/ *\\\n\s*/g, ' ')} -o ${keyring}`
