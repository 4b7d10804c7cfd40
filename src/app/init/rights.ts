/** The commands that give Coulisse the rights that it needs, and no more. Pure. */
import { cephxCommand } from '#drivers/ceph/cephx-caps'
import { ROLES, type Role } from '#drivers/proxmox/rights'

/** Where each role is given: what a token may is told by the nearest path that names it. */
const PATHS: Readonly<Record<Role, string>> = {
  CoulisseObserve: '/',
  CoulisseDrain: '/vms',
  CoulissePower: '/nodes',
  CoulisseCeph: '/',
}

/**
 * `pveum` lines for one token. Its rights are those that it *and* its user have, and a role on /vms or /nodes replaces what would be
 * inherited from /: so both get each role, and CoulisseObserve stands on every path.
 * @param viaProxmox Ceph is reached through Proxmox's API: that takes Sys.Modify on /
 */
export function tokenCommands(tokenId: string, { viaProxmox }: { readonly viaProxmox: boolean }): readonly string[] {
  const [user = '', id = ''] = tokenId.split('!')
  const roles = (Object.keys(PATHS) as Role[]).filter((role) => viaProxmox || role !== 'CoulisseCeph')
  const paths = [...new Set(roles.map((role) => PATHS[role]))]
  const rolesAt = (at: string) => roles.filter((role) => role === 'CoulisseObserve' || PATHS[role] === at).join(',')
  return [
    `pveum user add ${user} --comment Coulisse`,
    ...roles.map((role) => `pveum role add ${role} --privs '${ROLES[role].join(' ')}'`),
    ...paths.map((path) => `pveum acl modify ${path} --users ${user} --roles ${rolesAt(path)}`),
    `pveum user token add ${user} ${id} --privsep 1   # prints the secret, once`,
    ...paths.map((path) => `pveum acl modify ${path} --tokens '${tokenId}' --roles ${rolesAt(path)}`),
  ]
}

/** On one line, to be typed where `ceph` works. */
export const cephUserCommand = (keyring: string) => `${cephxCommand.replaceAll(/ *\\\n\s*/g, ' ')} -o ${keyring}`
