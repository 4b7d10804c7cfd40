/** Stage 6: power on, the node back, its hardware as before, a soak in band. Nothing is let back by silence. */
import { type Blocker, withoutLifted } from '#domain/blocker'
import { DriverError } from '#domain/driver-error'
import type { WorkOrderAnswer } from '#domain/maintenance'
import type { Hardware } from '#domain/node'
import type { Signal } from '#domain/signal'
import { readHardware } from '../hardware.ts'
import { keepLease } from '../lease.ts'
import { notify } from '../notify.ts'
import { powerOn, waitForNode } from '../power.ts'
import { holdWhilePaused, look, note, pass, type Story } from '../story.ts'
import { evidenceOf, hardwareBlockers, lastRecordId, soakBlockers } from './decide.ts'

const SOAK_LOOK_EVERY_MS = 60_000
const LEASE_LOOK_EVERY_MS = 5 * 60_000
const BMC_LOOK_EVERY_MS = 15_000
/** Between power-on and the first comparison: NICs and bonds need a moment after the node is online. */
const SETTLE_MS = 30_000

/** True when the node is proven healthy; false when it must go back to repair, with what was seen in the journal. */
export async function verifyNode(story: Story, answer: WorkOrderAnswer): Promise<boolean> {
  const { node, policy } = story.input
  await holdWhilePaused(story)
  if (answer.outcome === 'cannot') {
    const text = `${answer.by} could not repair it: ${answer.found}`
    return refuse(story, [{ kind: 'hardware-differs', node, text, lifts: 'another round of repair' }])
  }
  const logEnd = await endOfEventLog(story)
  if (logEnd === undefined) {
    const text = `the BMC of ${node} does not answer ${Math.round(policy.bootLimitS / 60)} min after the repair`
    return refuse(story, [{ kind: 'bmc-unreachable', node, text, lifts: 'back to repair' }])
  }
  const by = await powerOn(story)
  if (!(await waitForNode(story, policy.bootLimitS * 1000))) {
    const text = `${node} is not online ${Math.round(policy.bootLimitS / 60)} min after power-on`
    return refuse(story, [{ kind: 'node-not-back', node, text, lifts: 'back to repair' }])
  }
  await note(story, { kind: 'node-on', node, by })
  await pass(story, SETTLE_MS)
  const after = await look(story, `the hardware of ${node} after the repair`, () => readHardware(story))
  const before = story.heard.hardware
  if (before === undefined) throw new Error('nothing is verified before its hardware was recorded')
  const differs = hardwareBlockers(node, before, after)
  const standing = withoutLifted(differs, story.heard.lifted)
  if (standing.length > 0) return refuse(story, standing)
  // What an approver took upon himself is still another machine: it is said.
  const accepted = differs.map((one) => one.text).join('; ')
  if (accepted !== '') await note(story, { kind: 'said', text: `accepted by name: ${accepted}`, about: node })
  return soak(story, before, after, logEnd)
}

type LogEnd = { readonly cursor: string; readonly lastId: number }

/** A BMC whose cords were out needs a minute to start; what stood in its log before the power came on is history. */
async function endOfEventLog(story: Story): Promise<LogEnd | undefined> {
  const untilMs = (await story.saga.nowMs()) + story.input.policy.bootLimitS * 1000
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const read = await look(story, 'the end of the event log', async () => {
      const { signals, cursor } = await readSignals(story, '')
      return isSilent(signals) ? null : { cursor, lastId: lastRecordId(0, signals) }
    })
    if (read !== null) return read
    await pass(story, BMC_LOOK_EVERY_MS)
  }
  return undefined
}

async function refuse(story: Story, blockers: readonly Blocker[]): Promise<false> {
  const { node } = story.input
  await note(story, { kind: 'verification-failed', node, blockers })
  story.heard.refusedFor = blockers.map((one) => one.text).join('; ')
  const text = blockers.map((one) => `${one.text}\nlifted by: ${one.lifts}`).join('\n\n')
  await notify(story, { audience: 'operator', subject: `${node}: not proven healthy, back to repair`, text })
  return false
}

type SoakLook = {
  readonly blockers: readonly Blocker[]
  readonly end: LogEnd
  /** 'unseen': the BMC or the cluster did not answer. That is no fault of the hardware, and no evidence either. */
  readonly fans: number | 'unseen'
}

/** Seconds in band count only while somebody looks: what was not seen is looked at for as long again, up to this often. */
const SOAK_TIMES_LIMIT = 3

async function soak(story: Story, before: Hardware, after: Hardware, atPowerOn: LogEnd): Promise<boolean> {
  const { node, policy } = story.input
  const everyMs = Math.min(SOAK_LOOK_EVERY_MS, policy.soakS * 1000)
  const wantedLooks = Math.max(1, Math.ceil((policy.soakS * 1000) / everyMs))
  await note(story, { kind: 'soak-began', node, untilMs: (await story.saga.nowMs()) + policy.soakS * 1000 })
  let end = atPowerOn
  let fanCount = 0
  let leaseDueMs = 0
  for (let looks = 0, seen = 0; seen < wantedLooks; looks++) {
    if (looks >= SOAK_TIMES_LIMIT * wantedLooks) return refuse(story, [neverSeen(story, seen, wantedLooks)])
    const now = await look(story, `${node} in its soak`, () => lookAtSoak(story, end))
    const standing = withoutLifted(now.blockers, story.heard.lifted)
    if (standing.length > 0) return refuse(story, standing)
    end = now.end
    if (now.fans !== 'unseen') {
      seen++
      fanCount = now.fans
    }
    const nowMs = await story.saga.nowMs()
    if (nowMs >= leaseDueMs) {
      await keepLease(story)
      leaseDueMs = nowMs + LEASE_LOOK_EVERY_MS
    }
    await pass(story, everyMs)
  }
  await note(story, { kind: 'verified', node, evidence: evidenceOf(before, after, policy.soakS, fanCount) })
  return true
}

function neverSeen({ input: { node } }: Story, seen: number, wanted: number): Blocker {
  const text = `the fans of ${node} were seen in ${seen} of ${wanted} looks: nobody can say that they ran in band`
  return { kind: 'unmeasured', node, text, lifts: 'the BMC answers again: back to repair' }
}

async function lookAtSoak(story: Story, end: LogEnd): Promise<SoakLook> {
  const { node } = story.input
  try {
    const fans = await story.ports.bmc.fans(node)
    const read = await readSignals(story, end.cursor)
    // Fans were seen and the log was not: no evidence for both.
    if (isSilent(read.signals)) return { blockers: [], end, fans: 'unseen' }
    const blockers = [
      ...soakBlockers(node, fans, read.signals, end.lastId),
      ...(await stillOnline(story)),
      ...noFans(story, fans.length),
    ]
    const lastId = lastRecordId(end.lastId, read.signals)
    return { blockers, end: { cursor: read.cursor, lastId }, fans: fans.length }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { blockers: [], end, fans: 'unseen' }
  }
}

const isSilent = (signals: readonly Signal[]) =>
  signals.some((signal) => signal.is === 'bmc' && signal.event === 'unreachable')

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
