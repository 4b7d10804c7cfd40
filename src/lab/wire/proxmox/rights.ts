/** API tokens and what they may: privileges by path, inherited downwards, as Proxmox's access control does it. */

export type LabToken = {
  /** user@realm!id */
  readonly id: string
  readonly secret: string
  /** By path: what a path names replaces what it would inherit. */
  readonly rights: Readonly<Record<string, readonly string[]>>
}

/** What the whole story needs where Ceph is reached by its own command: observe, drain, power. */
export const LEAST_RIGHTS: readonly string[] = [
  'Sys.Audit',
  'VM.Audit',
  'Datastore.Audit',
  'Pool.Audit',
  'Mapping.Audit',
  'SDN.Audit',
  'VM.Migrate',
  'Sys.PowerMgmt',
]
/** And what Ceph through Proxmox and a colleague's hands need besides. */
export const FULL_RIGHTS = { '/': [...LEAST_RIGHTS, 'VM.PowerMgmt', 'Sys.Modify'] }

/** '/vms/100', '/vms', '/': the nearest first. */
function upwards(path: string): readonly string[] {
  const parts = path.split('/').filter(Boolean)
  return [...parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`), '/']
}

/** Rights on a path replace those that it would inherit, as Proxmox's access control has it. */
function rightsAt(token: LabToken, path: string): readonly string[] {
  const nearest = upwards(path).find((one) => token.rights[one] !== undefined)
  return nearest === undefined ? [] : (token.rights[nearest] ?? [])
}

export const may = (token: LabToken, path: string, right: string): boolean => rightsAt(token, path).includes(right)

/** The paths that are always told of, recorded; '/mapping' is not among them. */
const ROOTS = ['/', '/access', '/access/groups', '/nodes', '/pool', '/sdn', '/storage', '/vms']

/** As /access/permissions tells: the paths that carry rights, and the roots of the tree with what they inherit. */
export function permissionsOf(token: LabToken): Record<string, Record<string, 1>> {
  const paths = new Set([...Object.keys(token.rights), ...ROOTS])
  const entries = [...paths].map((path) => {
    return [path, Object.fromEntries(rightsAt(token, path).map((right) => [right, 1 as const]))] as const
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
