/** Stage 6: power on, the node back, its hardware as before, a soak in band. Nothing is let back by silence. */
import { type Blocker, withoutLifted } from '#domain/blocker'
import type { WorkOrderAnswer } from '#domain/maintenance'
import type { Hardware } from '#domain/node'
import { askSafely } from '../gate.ts'
import { keepLease } from '../lease.ts'
import { powerOn, waitForNode } from '../power.ts'
import { look, note, pass, type Story } from '../story.ts'
import { evidenceOf, hardwareBlockers, mergeHardware, soakBlockers } from './decide.ts'

const SOAK_LOOK_EVERY_MS = 60_000
const LEASE_LOOK_EVERY_MS = 5 * 60_000
const BMC_LOOK_EVERY_MS = 15_000
/** Between power-on and the first comparison: NICs and bonds need a moment after the node is online. */
const SETTLE_MS = 30_000

/** Before anything is touched: what the node is made of, to compare with afterwards. */
export async function recordHardware(story: Story): Promise<Hardware> {
  const { node } = story.input
  const hardware = await look(story, `the hardware of ${node}`, () => readHardware(story))
  await note(story, { kind: 'hardware-recorded', node, hardware })
  return hardware
}

async function readHardware(story: Story): Promise<Hardware> {
  const { node } = story.input
  return mergeHardware(await story.ports.hypervisor.hardware(node), await story.ports.bmc.hardware(node))
}

/** True when the node is proven healthy; false when it must go back to repair, with what was seen in the journal. */
export async function verifyNode(story: Story, before: Hardware, answer: WorkOrderAnswer): Promise<boolean> {
  const { node, policy } = story.input
  if (answer.outcome === 'cannot') {
    const text = `${answer.by} could not repair it: ${answer.found}`
    return refuse(story, [{ kind: 'hardware-differs', node, text, lifts: 'another round of repair' }])
  }
  const cursor = await endOfEventLog(story)
  if (cursor === undefined) {
    const text = `the BMC of ${node} does not answer ${Math.round(policy.bootLimitS / 60)} min after the repair`
    return refuse(story, [{ kind: 'bmc-unreachable', node, text, lifts: 'back to repair' }])
  }
  await powerOn(story)
  if (!(await waitForNode(story, policy.bootLimitS * 1000))) {
    const text = `${node} is not online ${Math.round(policy.bootLimitS / 60)} min after power-on`
    return refuse(story, [{ kind: 'node-not-back', node, text, lifts: 'back to repair' }])
  }
  await note(story, { kind: 'node-on', node, by: 'us' })
  await pass(story, SETTLE_MS)
  const after = await look(story, `the hardware of ${node} after the repair`, () => readHardware(story))
  const differs = withoutLifted(hardwareBlockers(node, before, after), story.heard.lifted)
  if (differs.length > 0) return refuse(story, differs)
  return soak(story, before, after, cursor)
}

/** A BMC whose cords were out needs a minute to start; what stood in its log before the power came on is history. */
async function endOfEventLog(story: Story): Promise<string | undefined> {
  const untilMs = (await story.saga.nowMs()) + story.input.policy.bootLimitS * 1000
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const read = await look(story, 'the end of the event log', async () => {
      const { signals, cursor } = await readSignals(story, '')
      const isSilent = signals.some((signal) => signal.is === 'bmc' && signal.event === 'unreachable')
      return isSilent ? null : cursor
    })
    if (read !== null) return read
    await pass(story, BMC_LOOK_EVERY_MS)
  }
  return undefined
}

async function refuse(story: Story, blockers: readonly Blocker[]): Promise<false> {
  await note(story, { kind: 'verification-failed', node: story.input.node, blockers })
  return false
}

type SoakLook = { readonly blockers: readonly Blocker[]; readonly cursor: string; readonly fanCount: number }

async function soak(story: Story, before: Hardware, after: Hardware, cursorAtPowerOn: string): Promise<boolean> {
  const { node, policy } = story.input
  const untilMs = (await story.saga.nowMs()) + policy.soakS * 1000
  await note(story, { kind: 'soak-began', node, untilMs })
  let cursor = cursorAtPowerOn
  let fanCount = 0
  let leaseDueMs = 0
  for (let nowMs = await story.saga.nowMs(); nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const seen = await look(story, `${node} in its soak`, () => lookAtSoak(story, cursor))
    const standing = withoutLifted(seen.blockers, story.heard.lifted)
    if (standing.length > 0) return refuse(story, standing)
    cursor = seen.cursor
    fanCount = seen.fanCount
    if (nowMs >= leaseDueMs) {
      await keepLease(story)
      leaseDueMs = nowMs + LEASE_LOOK_EVERY_MS
    }
    await pass(story, Math.min(SOAK_LOOK_EVERY_MS, policy.soakS * 1000))
  }
  await note(story, { kind: 'verified', node, evidence: evidenceOf(before, after, policy.soakS, fanCount) })
  return true
}

async function lookAtSoak(story: Story, cursor: string): Promise<SoakLook> {
  const { node } = story.input
  let next = cursor
  let fanCount = 0
  const blockers = await askSafely(async () => {
    const fans = await story.ports.bmc.fans(node)
    const read = await readSignals(story, cursor)
    next = read.cursor
    fanCount = fans.length
    return [...soakBlockers(node, fans, read.signals), ...(await stillOnline(story)), ...noFans(story, fans.length)]
  })
  // A BMC that is silent for a moment is no fault of the hardware; it is no evidence either, and the soak's end asks again.
  const real = blockers.filter((one) => one.kind !== 'cluster-unreachable' && one.kind !== 'ceph-unreachable')
  return { blockers: real, cursor: next, fanCount }
}

const readSignals = (story: Story, cursor: string) => story.ports.bmc.signals(story.input.node, cursor)

function noFans(story: Story, count: number): readonly Blocker[] {
  if (count > 0) return []
  const { node } = story.input
  return [{ kind: 'unmeasured', node, text: `the BMC of ${node} shows no fan at all`, lifts: 'an approver lifts it' }]
}

async function stillOnline(story: Story): Promise<readonly Blocker[]> {
  const { node } = story.input
  if (await story.ports.hypervisor.nodeOnline(node)) return []
  return [{ kind: 'node-not-back', node, text: `${node} went offline during its soak`, lifts: 'back to repair' }]
}
