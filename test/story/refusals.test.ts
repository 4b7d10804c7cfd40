/** Refusals that no single fault of the lab brings about: asked of the functions themselves. */
import { expect, it } from 'vitest'
import type { NooutLease } from '#domain/ceph'
import { nodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { MaintenanceInput } from '#domain/maintenance'
import { DEFAULT_PLAN_POLICY } from '#domain/policy'
import { type IsolateFacts, leaseBlockers } from '#isolate/decide'
import { START_AT_MS, smallSnapshot } from '#lab/testing/small-world'
import { checkPlan } from '#plan/check-plan'
import { violationBlockers } from '#plan/steps'
import { aCluster, aGuest, aNode, planOf } from '#plan/testing'
import type { Ports } from '#ports/all'
import type { Saga } from '#ports/saga'
import { maintenanceSaga } from '#story/maintenance'

const pve3 = nodeName('pve3')
const lease: NooutLease = {
  owner: 'coulisse/pve3-night',
  host: pve3,
  reason: 'FAN3',
  setAtMs: START_AT_MS,
  expiresAtMs: START_AT_MS + 1000,
  flagsBefore: [],
}

function facts(changes: { readonly nowMs?: number; readonly lease?: NooutLease; readonly flags?: readonly string[] }) {
  const { cluster, ceph } = smallSnapshot()
  if (ceph === 'none') throw new Error('the small world has a Ceph')
  const given: IsolateFacts = {
    node: pve3,
    nowMs: changes.nowMs ?? START_AT_MS,
    cluster,
    ceph: { ...ceph, hostFlags: { pve3: changes.flags ?? ['noout'] } },
    identity: { is: 'silent', text: 'not asked' },
    okToStop: 'not-asked',
    lease: 'lease' in changes ? changes.lease : lease,
    owner: lease.owner,
    monitorsLeftAtLeast: 2,
    leftOnNode: [],
    elsewhere: [],
  }
  return given
}

const kindsOf = (given: IsolateFacts) => leaseBlockers(given).map(({ kind }) => kind)

it('the power stays on without our lease, without the flag, and after the lease has run out', () => {
  expect(kindsOf(facts({}))).toEqual([])
  expect(kindsOf(facts({ flags: [] }))).toEqual(['lease-not-held'])
  expect(kindsOf(facts({ lease: { ...lease, owner: 'somebody' } }))).toEqual(['lease-not-held'])
  expect(kindsOf(facts({ nowMs: lease.expiresAtMs + 1 }))).toEqual(['lease-expired'])
})

it('a plan that breaks a rule is refused by the independent checker, whoever made it: plan-violates-rules', () => {
  const full = aNode('pve1', { memoryBytes: 8 * 2 ** 30 })
  const cluster = aCluster([full, aNode('pve2'), aNode('pve3')], [aGuest(101, 'pve3')])
  const plan = planOf(cluster)
  const policy = DEFAULT_PLAN_POLICY
  const wrong = { ...plan, moves: plan.moves.map((move) => ({ ...move, to: full.name })) }
  expect(violationBlockers(checkPlan({ cluster, plan, policy }))).toEqual([])
  const kinds = violationBlockers(checkPlan({ cluster, plan: wrong, policy })).map(({ kind }) => kind)
  expect(new Set(kinds)).toEqual(new Set(['plan-violates-rules']))
})

it('a maintenance that began under another version of the story does not end: its node may be off', async () => {
  const began = { definitionVersion: 99 } as MaintenanceInput & Json
  await expect(maintenanceSaga({} as Ports)({} as Saga, began)).rejects.toThrow('version 99')
})
