/** Stage 4: the node is taken off, in order, and its power proven off by its own BMC. */
import type { Outcome } from '#domain/act'
import { type Blocker, withoutLifted } from '#domain/blocker'
import { osdsOf } from '#domain/ceph'
import { stillRunning } from '#drain/steps'
import { identityBlockers } from '../conditions/who.ts'
import { askSafely, passGate } from '../gate.ts'
import { proveIdentity } from '../identity.ts'
import { keepLease, REJOINS_QUIETLY_MS, takeLease } from '../lease.ts'
import { setLocate } from '../locate.ts'
import { flagsElsewhere } from '../others.ts'
import { insist, perform } from '../perform.ts'
import { bringNodeBack } from '../power.ts'
import { holdWhilePaused, keepUp, look, note, ownerOf, pass, type Story, StoryStopped } from '../story.ts'
import { undoing } from '../undoing.ts'
import { type IsolateFacts, isolateBlockers, powerOffBlockers, withoutOwnAbsence } from './decide.ts'

/** `redrain`: called when guests turned up on the node meanwhile; they are moved, not stopped. */
export async function isolateNode(story: Story, redrain: () => Promise<void>): Promise<void> {
  await passGate(story, {
    stage: 'isolate',
    ask: async () => isolateBlockers(await gather(story)),
    mend: mendBy(redrain),
  })
  await failMgr(story)
  await takeLease(story)
  story.heard.upkeep = () => keepLease(story)
  await setLocate(story, true)
  await switchOff(story, redrain)
}

async function switchOff(story: Story, redrain: () => Promise<void>, again = false): Promise<void> {
  const { node } = story.input
  await holdWhilePaused(story)
  // Registered before the first OSD stops: a shutdown whose answer was lost is taken back all the same.
  await story.saga.step(`${node} is switched off`, async () => null, {
    undo: undoing(story, () => bringNodeBack(story)),
  })
  for (let tries = 0; tries < SWITCH_OFF_TRIES; tries++) {
    const ask = async () => {
      const facts = await gather(story)
      return again ? withoutOwnAbsence(facts, powerOffBlockers(facts)) : powerOffBlockers(facts)
    }
    const quietMs = again ? REJOINS_QUIETLY_MS : 0
    await passGate(story, { stage: 'isolate', ask, quietMs, mend: mendBy(redrain, () => keepLease(story)) })
    const outcome = await shutDownInOrder(story)
    if (outcome !== 'failed' && (await proveOff(story, outcome))) return
    await pass(story, 10_000)
  }
  throw new StoryStopped(
    `${node} was not switched off: its conditions changed ${SWITCH_OFF_TRIES} times at the last moment`,
  )
}

const SWITCH_OFF_TRIES = 10

/** On the way back to repair. */
export async function switchOffAgain(story: Story, redrain: () => Promise<void>): Promise<void> {
  const { node } = story.input
  const untilMs = (await story.saga.nowMs()) + BMC_SPEAKS_WITHIN_MS
  for (let nowMs = 0; nowMs < untilMs; nowMs = await story.saga.nowMs()) {
    const power = await look(story, `whether ${node} is still off`, () => powerNow(story))
    if (power === 'on') return switchOff(story, redrain, true)
    // Dark, and off when it was last proven: a technician who could not repair it has left it without its cords.
    const isOff = power === 'off' || !story.heard.mayBeOn
    if (isOff) {
      story.heard.mayBeOn = false
      return
    }
    await keepUp(story)
    await pass(story, BMC_LOOK_EVERY_MS)
  }
  // Nobody put the cords back in: a BMC would have spoken by now.
  story.heard.mayBeOn = false
}

/** When the cords go back in, the node may start by itself, and its BMC says nothing for a minute. */
const BMC_SPEAKS_WITHIN_MS = 5 * 60_000
const BMC_LOOK_EVERY_MS = 10_000

async function powerNow({ ports, input: { node } }: Story): Promise<'on' | 'off' | 'dark'> {
  if (await ports.hypervisor.nodeOnline(node)) return 'on'
  const power = await ports.bmc.power(node)
  return power.is === 'unknown' ? 'dark' : power.is
}

function mendBy(redrain: () => Promise<void>, mendLease?: () => Promise<void>) {
  return async (blockers: readonly Blocker[]): Promise<boolean> => {
    if (blockers.some((blocker) => blocker.kind === 'node-not-empty')) {
      await redrain()
      return true
    }
    // Looked at again at the gate's own pace: what does not help is not repeated in one breath.
    if (blockers.some(({ kind }) => kind === 'lease-not-held' || kind === 'lease-expired')) await mendLease?.()
    return false
  }
}

async function gather(story: Story): Promise<IsolateFacts> {
  const { hypervisor, storage, clock } = story.ports
  const { node, policy } = story.input
  const ceph = await storage.observe()
  const osds = ceph === 'none' ? [] : osdsOf(ceph, node).filter((osd) => osd.up)
  const ofCeph = {
    ceph,
    okToStop: osds.length === 0 ? ('not-asked' as const) : await storage.okToStop(osds.map((osd) => osd.id)),
    lease: ceph === 'none' ? undefined : await storage.readLease(node),
    elsewhere: await flagsElsewhere(story.ports, ceph, node),
  }
  const identity = await proveIdentity(story)
  // Guests last, and by the node's own word: they are what may change in the seconds before the command.
  const cluster = await hypervisor.observe({ avoid: node })
  return {
    ...ofCeph,
    node,
    nowMs: await clock.nowMs(),
    cluster,
    identity,
    owner: ownerOf(story),
    monitorsLeftAtLeast: policy.monitorsLeftAtLeast,
    leftOnNode: await stillRunning(story, cluster),
  }
}

/** Standing mgrs take over at once; it is not taken back, since any active mgr is as good as another. */
async function failMgr(story: Story): Promise<void> {
  const { storage } = story.ports
  const { node } = story.input
  const isHere = async () => {
    const ceph = await storage.observe()
    return ceph !== 'none' && ceph.activeMgrHost === node
  }
  if (!(await look(story, 'the active mgr', isHere))) return
  await insist(story, {
    act: { kind: 'fail-mgr', node },
    run: async () => {
      if (!(await isHere())) return { is: 'already' }
      await storage.failMgr(node)
      return { is: 'done' }
    },
  })
}

/**
 * One step: a third look at guests, Ceph and quorum, then OSDs stopped in order, then the shutdown; so that at most seconds
 * lie between the look and the command. 'failed': the look said no, and nothing was done; 'already': it was off, or away.
 */
async function shutDownInOrder(story: Story): Promise<Outcome['is']> {
  const { node } = story.input
  const isOff = async () => (await story.ports.bmc.power(node)).is === 'off'
  const outcome = await perform(story, {
    act: { kind: 'shut-down', node },
    run: async () => {
      if (await isOff()) return { is: 'already' }
      if (!(await story.ports.hypervisor.nodeOnline(node))) return { is: 'already' }
      const blockers = await askSafely(async () => lastLook(story, await gather(story)))
      if (blockers.length > 0) return { is: 'failed', text: blockers.map((one) => one.text).join('; ') }
      await stopOsds(story)
      await story.ports.hypervisor.shutDown(node)
      return { is: 'done' }
    },
  })
  return outcome.is
}

function lastLook(story: Story, facts: IsolateFacts): readonly Blocker[] {
  return withoutLifted(withoutOwnAbsence(facts, powerOffBlockers(facts)), story.heard.lifted)
}

/** In order before the power goes: a cut cable costs a client 7 to 14 s, an ordered stop 0.4 s. */
async function stopOsds(story: Story): Promise<void> {
  const { storage, journal } = story.ports
  const { node } = story.input
  const ceph = await storage.observe()
  const osds =
    ceph === 'none'
      ? []
      : osdsOf(ceph, node)
          .filter((osd) => osd.up)
          .map((osd) => osd.id)
  if (osds.length === 0) return
  const maintenance = story.input.id
  const act = { kind: 'stop-osds', node, osds } as const
  const atMs = await story.ports.clock.nowMs()
  await journal.append({ maintenance, key: `stop-osds/${node}/${atMs}/intends`, event: { kind: 'intends', act } })
  const answer = await storage.stopOsds(node, osds)
  const outcome: Outcome =
    answer === 'stopped'
      ? { is: 'done' }
      : { is: 'failed', text: 'our rights do not reach so far: the node’s own shutdown stops them' }
  await journal.append({ maintenance, key: `stop-osds/${node}/${atMs}/did`, event: { kind: 'did', act, outcome } })
}

const OFF_LOOK_EVERY_MS = 5_000

/**
 * Off is the BMC's word. A node that hangs is a person's to switch off: Coulisse never cuts power hard. False: it was only away when
 * it was to be shut down, and is back: it had begun to boot, say, when its cords went back in.
 */
async function proveOff(story: Story, shutdown: Outcome['is']): Promise<boolean> {
  const { node } = story.input
  const hasStarted = async () => shutdown === 'already' && (await story.ports.hypervisor.nodeOnline(node))
  const ask = async (): Promise<readonly Blocker[]> => {
    if (await hasStarted()) return []
    const power = await story.ports.bmc.power(node)
    if (power.is === 'off') return identityBlockers(node, await proveIdentity(story))
    const text = power.is === 'on' ? `${node} is still on` : `the BMC of ${node} does not say: ${power.reason}`
    return [{ kind: 'still-on', node, text, lifts: 'it ends its shutdown, or a person switches it off' }]
  }
  // A shutdown takes its minutes: only one that lasts too long is a gate.
  const quietMs = story.input.policy.shutdownLimitS * 1000
  await passGate(story, { stage: 'isolate', ask, everyMs: OFF_LOOK_EVERY_MS, quietMs })
  if (shutdown === 'already' && (await look(story, `whether ${node} has started meanwhile`, hasStarted))) return false
  story.heard.mayBeOn = false
  await note(story, { kind: 'node-off', node, provenBy: 'bmc' })
  return true
}
