/** The doctor's word on a token: what it lacks, what it has besides, and which guests it does not see. */
import type { Check } from '#domain/check'
import { numbersWithFigures, provenToExist, unseenNumbers } from './hidden.ts'
import type { ClusterFacts } from './look-cluster.ts'
import { besides, grantFor, hiddenByEntry, holds, lacking, needsOf, type Permissions } from './rights.ts'
import type { Sight } from './sight.ts'

const NAMES_SHOWN = 12

const listed = (names: readonly (string | number)[]) =>
  names.length <= NAMES_SHOWN
    ? names.join(', ')
    : `${names.slice(0, NAMES_SHOWN).join(', ')} and ${names.length - NAMES_SHOWN} more`

export function rightsChecks(
  permissions: Permissions,
  { tokenId, cephByApi }: { readonly tokenId: string; readonly cephByApi: boolean },
): readonly Check[] {
  const about = { area: 'proxmox', subject: `the token ${tokenId}` } as const
  const needs = needsOf(cephByApi)
  const missing = lacking(permissions, needs).map(
    (need): Check => ({
      ...about,
      outcome: 'missing',
      text: `it lacks ${need.right} on ${need.path}: ${need.without}`,
      stages: need.stages,
      mend: grantFor(permissions, need, tokenId),
    }),
  )
  const more = besides(permissions, needs)
  const surplus: Check[] =
    more.length === 0
      ? []
      : [
          {
            ...about,
            outcome: 'dangerous',
            text: `${isRoot(tokenId) ? 'it is root’s own, and ' : ''}it may more than it needs: ${listed(more)}`,
            mend: `Give it the roles ${rolesOf(cephByApi)} alone, on a user of its own; what it has: pveum acl list`,
          },
        ]
  if (missing.length + surplus.length > 0) return [...missing, ...surplus]
  const text = `it may look, move guests and shut a node down${cephByApi ? ', and set flags of Ceph' : ''}; no more`
  return [{ ...about, outcome: 'fine', text }]
}

const isRoot = (tokenId: string) => tokenId.startsWith('root@pam!')
const rolesOf = (cephByApi: boolean) =>
  ['CoulisseObserve', 'CoulisseDrain', 'CoulissePower', ...(cephByApi ? ['CoulisseCeph'] : [])].join(', ')

/**
 * Numbers below the next free one, guests with figures, and guests under HA are compared with those that are seen; each that is not
 * seen is proven to exist before it is told.
 */
export async function hiddenChecks(told: {
  readonly sight: Sight
  readonly cluster: ClusterFacts
  readonly permissions: Permissions
  readonly tokenId: string
}): Promise<readonly Check[]> {
  const { sight, cluster, permissions, tokenId } = told
  const seen = new Set(cluster.resources.flatMap((item) => item.vmid ?? []))
  const named = [
    ...((await unseenNumbers(sight, seen, cluster.options)) ?? []),
    ...(await numbersWithFigures(sight)),
    ...cluster.ha.managed.keys(),
    ...hiddenByEntry(permissions),
  ]
  const unseen = [...new Set<number>(named)].filter((id) => !seen.has(id)).sort((left, right) => left - right)
  const hidden = await provenToExist(sight, unseen)
  const about = { area: 'proxmox', subject: `guests seen by ${tokenId}` } as const
  if (hidden.length === 0) {
    return [{ ...about, outcome: 'fine', text: `all that exist, as far as other lists name them: ${seen.size}` }]
  }
  const atLeast = hidden.length < unseen.length ? 'at least ' : ''
  const [first = 0] = hidden
  const need = { path: '/vms', right: 'VM.Audit', role: 'CoulisseObserve', stages: [], without: '' } as const
  const mend = holds(permissions, need)
    ? `pveum acl list | grep '/vms/${first}'; what stands there hides the guest: remove it, or add CoulisseObserve to it`
    : grantFor(permissions, need, tokenId)
  return [
    {
      ...about,
      outcome: 'dangerous',
      text: `${atLeast}${hidden.length} guests exist that it does not see, for lack of VM.Audit: ${listed(hidden)}`,
      stages: ['plan', 'drain', 'isolate', 'reintegrate'],
      mend,
    },
  ]
}
