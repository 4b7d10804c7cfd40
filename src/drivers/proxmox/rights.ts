/** What the token must be allowed, for which stage, and the command that grants it. Proxmox itself says 403 only when it is too late. */
import type { z } from 'zod'
import type { Stage } from '#domain/maintenance'
import type { permissions } from './wire.ts'

/** Path -> right -> 1 where it reaches below the path, 0 where it is good for the path alone. */
export type Permissions = z.output<typeof permissions>

export type Need = {
  readonly path: string
  readonly right: string
  readonly role: Role
  readonly stages: readonly Stage[]
  /** What becomes of it without this right. */
  readonly without: string
}

/** One role a purpose, so that a token may be given some of them only. */
export const ROLES = {
  CoulisseObserve: ['Sys.Audit', 'VM.Audit', 'Datastore.Audit', 'Pool.Audit', 'Mapping.Audit', 'SDN.Audit'],
  CoulisseDrain: ['VM.Migrate'],
  CoulissePower: ['Sys.PowerMgmt'],
  CoulisseCeph: ['Sys.Modify'],
} as const
export type Role = keyof typeof ROLES

const LOOKING: readonly Stage[] = ['plan', 'drain', 'isolate', 'verify', 'reintegrate']

const OBSERVE: readonly Need[] = [
  { path: '/', right: 'Sys.Audit', without: 'the cluster, its HA and its Ceph cannot be read' },
  { path: '/nodes', right: 'Sys.Audit', without: 'nodes cannot be read, and tasks of others are hidden' },
  { path: '/vms', right: 'VM.Audit', without: 'guests are hidden, without a word' },
  { path: '/storage', right: 'Datastore.Audit', without: 'storages are hidden, so guests find no target' },
  { path: '/pool', right: 'Pool.Audit', without: 'pools cannot be compared with the guests that are seen' },
  { path: '/mapping', right: 'Mapping.Audit', without: 'devices that several nodes have look like those of one' },
  { path: '/sdn', right: 'SDN.Audit', without: 'virtual networks are hidden, so guests on them find no target' },
].map((need) => ({ ...need, role: 'CoulisseObserve', stages: LOOKING }))

const ACT: readonly Need[] = [
  {
    path: '/vms',
    right: 'VM.Migrate',
    role: 'CoulisseDrain',
    stages: ['drain', 'reintegrate'],
    without: 'no guest can be moved',
  },
  {
    path: '/nodes',
    right: 'Sys.PowerMgmt',
    role: 'CoulissePower',
    stages: ['isolate'],
    without: 'the node cannot be shut down',
  },
]

/** Broad, and therefore asked for only where Ceph has no other way. */
const CEPH_BY_API: Need = {
  path: '/',
  right: 'Sys.Modify',
  role: 'CoulisseCeph',
  stages: ['isolate', 'reintegrate'],
  without: 'noout cannot be set, and OSDs cannot be stopped, through Proxmox',
}

/** @param cephByApi Ceph is reached through Proxmox alone, without a cephx user of ours */
export const needsOf = (cephByApi: boolean): readonly Need[] => [
  ...OBSERVE,
  ...ACT,
  ...(cephByApi ? [CEPH_BY_API] : []),
]

function upwards(path: string): readonly string[] {
  const parts = path.split('/').filter(Boolean)
  return [...parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`), '/']
}

/**
 * Rights on a path replace those that it would inherit: a token with everything on '/' and VM.Migrate on '/vms' has no VM.Audit
 * on '/vms'. The nearest path that is told of decides; below it counts only what reaches below ('/mapping' is never told of).
 */
export function holds(permissions: Permissions, { path, right }: Pick<Need, 'path' | 'right'>): boolean {
  const nearest = upwards(path).find((one) => permissions[one] !== undefined)
  if (nearest === undefined) return false
  const reach = permissions[nearest]?.[right]
  if (reach === undefined || reach === null) return false
  return (nearest === '/' && path === '/') || Number(reach) === 1
}

export const lacking = (permissions: Permissions, needs: readonly Need[]): readonly Need[] =>
  needs.filter((need) => !holds(permissions, need))

/** Guests that an entry of their own hides: '/vms/105' without VM.Audit. */
export function hiddenByEntry(permissions: Permissions): readonly number[] {
  return Object.entries(permissions).flatMap(([path, rights]) => {
    const id = /^\/vms\/(\d+)$/.exec(path)?.[1]
    return id === undefined || rights['VM.Audit'] !== undefined ? [] : [Number(id)]
  })
}

/** What it may besides; looking harms nobody, so rights to audit are left out. */
export function besides(permissions: Permissions, needs: readonly Need[]): readonly string[] {
  const needed = new Set(needs.map(({ right }) => right))
  const held = new Set(Object.values(permissions).flatMap((rights) => Object.keys(rights)))
  return [...held].filter((right) => !needed.has(right) && !right.endsWith('.Audit')).sort()
}

/**
 * To type on a node as it stands. The user is given it too: a token with privilege separation has what both have. It is granted on
 * '/', where it replaces nothing, unless a path of its own hides it there.
 */
export function grantFor(permissions: Permissions, need: Need, tokenId: string): string {
  const rights = ROLES[need.role].join(' ')
  const path = holds(permissions, { path: '/', right: need.right }) ? need.path : '/'
  const user = tokenId.split('!')[0] ?? tokenId
  return [
    `pveum role add ${need.role} --privs "${rights}" || pveum role modify ${need.role} --privs "${rights}"`,
    `pveum acl modify ${path} --users '${user}' --tokens '${tokenId}' --roles ${need.role}`,
  ].join('; ')
}
