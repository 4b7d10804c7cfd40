/** API tokens and what they may: privileges by path, inherited downwards, as Proxmox's access control does it. */

export type LabToken = {
  /** user@realm!id */
  readonly id: string
  readonly secret: string
  readonly rights: Readonly<Record<string, readonly string[]>>
}

/** All that the story needs, over separate tokens or one: observe, drain, ceph, power. */
const OBSERVE = ['Sys.Audit', 'VM.Audit', 'Datastore.Audit', 'Pool.Audit', 'Mapping.Audit', 'SDN.Audit'] as const
export const FULL_RIGHTS = { '/': [...OBSERVE, 'VM.Migrate', 'VM.PowerMgmt', 'Sys.Modify', 'Sys.PowerMgmt'] }

/** '/vms/100' is asked at '/vms/100', '/vms' and '/'. */
function above(path: string): readonly string[] {
  const parts = path.split('/').filter(Boolean)
  return ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)]
}

export const may = (token: LabToken, path: string, right: string): boolean =>
  above(path).some((one) => token.rights[one]?.includes(right) === true)

/** As /access/permissions tells: the paths that carry rights, and the roots of the tree with what they inherit. */
export function permissionsOf(token: LabToken): Record<string, Record<string, 1>> {
  const paths = new Set([...Object.keys(token.rights), '/', '/vms', '/nodes', '/storage', '/pool', '/access'])
  const entries = [...paths].map((path) => {
    const rights = new Set(above(path).flatMap((one) => token.rights[one] ?? []))
    return [path, Object.fromEntries([...rights].map((right) => [right, 1 as const]))] as const
  })
  return Object.fromEntries(entries.filter(([, rights]) => Object.keys(rights).length > 0))
}

export type SignedIn =
  | { readonly is: 'token'; readonly token: LabToken }
  | { readonly is: 'refused'; readonly text: string }

/** Recorded: no header 'No ticket', anything wrong 'Authentication failed!', both with an empty body. */
export function signIn(tokens: readonly LabToken[], header: string | undefined): SignedIn {
  if (header === undefined || header === '') return { is: 'refused', text: 'No ticket' }
  const match = /^PVEAPIToken=([^=]+)=(.+)$/.exec(header)
  const token = tokens.find((one) => one.id === match?.[1] && one.secret === match?.[2])
  return token === undefined ? { is: 'refused', text: 'Authentication failed!' } : { is: 'token', token }
}
