/** The commands that give Coulisse the rights that it needs, and no more. Pure. */
import { cephxCommand } from '#drivers/ceph/cephx-caps'
import { ROLES, type Role } from '#drivers/proxmox/rights'

/**
 * `pveum` lines for one token, as docs/operations.md shows them. User and token are given the same, for a token with privilege
 * separation may what both may; and on '/', where nothing that is inherited is replaced.
 * @param viaProxmox Ceph is reached through Proxmox's API: that takes Sys.Modify on /
 */
export function tokenCommands(tokenId: string, { viaProxmox }: { readonly viaProxmox: boolean }): readonly string[] {
  const [user = '', id = ''] = tokenId.split('!')
  const roles = (Object.keys(ROLES) as Role[]).filter((role) => viaProxmox || role !== 'CoulisseCeph')
  return [
    ...roles.map((role) => `pveum role add ${role} --privs "${ROLES[role].join(' ')}"`),
    `pveum user add ${user}`,
    `pveum user token add ${user} ${id} --privsep 1`,
    `pveum acl modify / --users ${user} --tokens '${tokenId}' --roles ${roles.join(',')}`,
  ]
}

/** On one line, to be typed where `ceph` works. */
export const cephUserCommand = (keyring: string) => `${cephxCommand.replaceAll(/ *\\\n\s*/g, ' ')} -o ${keyring}`
