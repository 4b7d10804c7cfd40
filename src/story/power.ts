/** Power on, and the way back from a shutdown, whatever state the node was left in. */

import { withoutLifted } from '#domain/blocker'
import { DriverError } from '#domain/driver-error'
import { hardwareBlockers } from '#verify/decide'
import { identityBlockers } from './conditions/who.ts'
import { readHardware } from './hardware.ts'
import { proveIdentity } from './identity.ts'
import { osdsToComeBack, waitUntilBack } from './lease.ts'
import { insist } from './perform.ts'
import { keepUp, look, note, pass, type Story, StoryStuck } from './story.ts'

const LOOK_EVERY_MS = 5_000

/** Switches the node on, and says who did: somebody may have been before us. */
export async function powerOn(story: Story): Promise<'us' | 'itself'> {
  const { bmc } = story.ports
  const { node } = story.input
  story.heard.mayBeOn = true
  // An answer that is lost, or a process that dies, does not make it somebody else's doing.
  const wasOff = await look(story, `the power of ${node}`, () => isOff(story))
  const outcome = await insist(story, {
    act: { kind: 'power-on', node },
    run: async () => {
      const unproven = identityBlockers(node, await proveIdentity(story))
      if (unproven.length > 0) return { is: 'failed', text: unproven.map((one) => one.text).join('; ') }
      if ((await bmc.power(node)).is === 'on') return { is: 'already' }
      await bmc.powerOn(node)
      return { is: 'done' }
    },
  })
  return outcome.is === 'already' && !wasOff ? 'itself' : 'us'
}

async function isOff({ ports, input }: Story): Promise<boolean> {
  try {
    return (await ports.bmc.power(input.node)).is === 'off'
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return false
  }
}

/** True when the node is online by its cluster's word; false when `limitMs` passed before. */
export async function waitForNode(story: Story, limitMs: number): Promise<boolean> {
  const { node } = story.input
  const untilMs = (await story.saga.nowMs()) + limitMs
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const online = await look(story, `whether ${node} is back`, () => isOnline(story))
    if (online) return true
    await keepUp(story)
    await pass(story, LOOK_EVERY_MS)
  }
  return false
}

async function isOnline(story: Story): Promise<boolean> {
  try {
    return await story.ports.hypervisor.nodeOnline(story.input.node)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return false
  }
}

type Found = 'off' | 'whole' | 'between'

const BETWEEN_LIMIT_LOOKS = 24

/**
 * The undo of isolating: off is switched on; a shutdown under way is waited for; a node whose OSDs we stopped, and whose
 * shutdown never came, is shut down first, for nothing else starts them again. Throws StoryStuck while hands may be inside.
 */
export async function bringNodeBack(story: Story): Promise<void> {
  const { node, policy } = story.input
  if (story.heard.handsMayBeInside) {
    throw new StoryStuck(`a technician may have his hands in ${node}: it stays off until he says that they are out`)
  }
  const limitMs = policy.shutdownLimitS * 1000
  const untilMs = (await story.saga.nowMs()) + limitMs
  let looksBetween = 0
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const found = await look(story, `what became of ${node}`, () => findState(story))
    if (found === 'whole' && looksBetween === 0) return
    if (found === 'off') break
    looksBetween = found === 'whole' ? 0 : looksBetween + 1
    if (looksBetween === BETWEEN_LIMIT_LOOKS) await shutDownAgain(story)
    await keepUp(story)
    await pass(story, LOOK_EVERY_MS)
  }
  const by = await powerOn(story)
  if (!(await waitForNode(story, policy.bootLimitS * 1000))) {
    throw new StoryStuck(`${node} did not come back within ${Math.round(policy.bootLimitS / 60)} min`)
  }
  await note(story, { kind: 'node-on', node, by })
  await refuseOtherHardware(story)
  await waitUntilBack(story, 'isolate')
}

/** Nothing goes back by silence: a node that was opened is compared with itself before its guests may return to it. */
async function refuseOtherHardware(story: Story): Promise<void> {
  const { node } = story.input
  const before = story.heard.hardware
  if (!story.heard.wasOpened || before === undefined) return
  const after = await look(story, `the hardware of ${node} as it came back`, () => readHardware(story))
  const blockers = withoutLifted(hardwareBlockers(node, before, after), story.heard.lifted)
  if (blockers.length === 0) return
  await note(story, { kind: 'verification-failed', node, blockers })
  throw new StoryStuck(`${node} was opened and came back another: ${blockers.map((one) => one.text).join('; ')}`)
}

async function findState(story: Story): Promise<Found> {
  const { node } = story.input
  try {
    if ((await story.ports.bmc.power(node)).is === 'off') return 'off'
    if (!(await isOnline(story))) return 'between'
    const ceph = await story.ports.storage.observe()
    if (ceph === 'none') return 'whole'
    return osdsToComeBack(story, ceph).every((osd) => osd.up) ? 'whole' : 'between'
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return 'between'
  }
}

async function shutDownAgain(story: Story): Promise<void> {
  const { node } = story.input
  await insist(story, {
    act: { kind: 'shut-down', node },
    run: async () => {
      if (!(await isOnline(story))) return { is: 'already' }
      const running = await story.ports.hypervisor.runningOn(node)
      if (running.length > 0) return { is: 'failed', text: `guests ${running.join(', ')} run on ${node}` }
      await story.ports.hypervisor.shutDown(node)
      return { is: 'done' }
    },
  })
}
