/** What every stage holds in its hands: the saga, the ports, the input, and what people have said so far. */
import { BLOCKERS, type Blocker, type BlockerKind } from '#domain/blocker'
import type { NooutLease } from '#domain/ceph'
import { DriverError } from '#domain/driver-error'
import type { Event, Origin } from '#domain/event'
import type { NodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { ControlMessage, InboxMessage, MaintenanceInput, Stage, WorkOrderAnswer } from '#domain/maintenance'
import type { Hardware } from '#domain/node'
import type { BrokenBefore } from '#domain/plan'
import type { Ports } from '#ports/all'
import type { Saga } from '#ports/saga'

export const INBOX = 'inbox'

export type Story = {
  readonly saga: Saga
  readonly ports: Ports
  readonly input: MaintenanceInput
  /** Rebuilt by every replay from recorded results alone, never stored by itself. */
  readonly heard: Heard
  /** One move's saga: it follows something under way, so an abort reaches it as a word, not as an exception. */
  readonly isChild: boolean
}

export type Heard = {
  stage: Stage
  lifted: readonly BlockerKind[]
  paused: boolean
  /** Set while all is being taken back: a second abort changes nothing then. */
  undoing: boolean
  /** Between "safe to touch" and the technician's answer, somebody's hands may be inside. */
  handsMayBeInside: boolean
  /** It was switched on, or seen with power, since it was last proven off: a silent BMC says nothing about it then. */
  mayBeOn: boolean
  /** Somebody had his hands in it: nothing goes back onto it before its hardware was compared with what it was. */
  wasOpened: boolean
  /** Where every guest was when the maintenance began, and of those that turned up on the node since. */
  origins: readonly Origin[]
  /** What was over a limit or broke a rule then, and may be so again when everybody is home. */
  before: BrokenBefore | undefined
  /** Where our moves brought guests, by vmid: the cluster's list knows it 10 to 20 s later. */
  readonly arrived: Record<string, NodeName>
  /** Why verification sent it back to repair, for the next work order. */
  refusedFor: string | undefined
  /** What the node was made of before anything was touched. */
  hardware: Hardware | undefined
  /** OSDs of the node that held no data when we took the lease: dead disks, say. They are not ours to bring back. */
  outBefore: readonly number[]
  /** Ours, while we hold it. */
  lease: NooutLease | undefined
  /** The expiry that was shouted already. */
  shoutedAtMs: number | undefined
  /** We switched HA's maintenance mode on, and it is ours to switch off. */
  isModeOurs: boolean
  /** Why nothing more is taken back: a person must look first, and what stands now is safer than what a program could do. */
  leftAlone: string | undefined
  /** What must go on while the story waits or is paused: the lease must not run out. Called by `keepUp` alone. */
  upkeep: () => Promise<void>
  isKeepingUp: boolean
}

export class AbortAsked extends Error {
  override readonly name = 'AbortAsked'
  readonly by: string
  readonly reason: string
  constructor(by: string, reason: string) {
    super(`abort asked by ${by}: ${reason}`)
    this.by = by
    this.reason = reason
  }
}

/** The story cannot go on and takes itself back: a wait reached its limit, a plan was rejected. */
export class StoryStopped extends Error {
  override readonly name = 'StoryStopped'
}

/** Nothing may be taken back by a program now: a person is needed. */
export class StoryStuck extends Error {
  override readonly name = 'StoryStuck'
}

export function tellStory(saga: Saga, ports: Ports, input: MaintenanceInput, stage: Stage = 'detect'): Story {
  const heard: Heard = {
    stage,
    lifted: input.policy.plan.lifted,
    paused: false,
    undoing: false,
    handsMayBeInside: false,
    mayBeOn: true,
    wasOpened: false,
    origins: [],
    before: undefined,
    arrived: {},
    refusedFor: undefined,
    hardware: undefined,
    outBefore: [],
    lease: undefined,
    shoutedAtMs: undefined,
    isModeOurs: false,
    leftAlone: undefined,
    upkeep: async () => {},
    isKeepingUp: false,
  }
  return { saga, ports, input, heard, isChild: saga.id !== saga.rootId }
}

/** The name under which our lease stands in the cluster itself. */
export const ownerOf = (story: Story) => `coulisse/${story.input.id}`

/** Writes events to the journal, in order, as one step. */
export async function note(story: Story, ...events: readonly Event[]): Promise<void> {
  const kinds = events.map((event) => event.kind).join(', ')
  await story.saga.step(`note ${kinds}`, async (key) => {
    for (const [index, event] of events.entries()) {
      await story.ports.journal.append({ maintenance: story.input.id, key: `${key}/${index}`, event })
    }
    return null
  })
}

const LOOK_AGAIN_MS = 30_000
/** One move does not hold its partners up for longer: it is looked for again in the next round. */
const CHILD_LOOK_LIMIT_MS = 5 * 60_000

/**
 * A look: recorded, repeated as the driver's error says, changes nothing. A world that does not answer for longer is waited
 * for at a gate, up to the policy's limit, with people heard meanwhile; then the driver's error is thrown.
 */
export async function look<T>(story: Story, what: string, ask: () => Promise<T>): Promise<T> {
  let beganMs: number | undefined
  for (;;) {
    try {
      const seen = (await story.saga.step(`look at ${what}`, ask as () => Promise<Json>)) as T
      if (beganMs !== undefined) {
        const waitedMs = (await story.saga.nowMs()) - beganMs
        await note(story, { kind: 'gate-opened', stage: story.heard.stage, waitedMs })
      }
      return seen
    } catch (error) {
      if (!(error instanceof DriverError) || story.heard.isKeepingUp) throw error
      const nowMs = await story.saga.nowMs()
      if (beganMs === undefined) await noteUnreachable(story, error)
      beganMs ??= nowMs
      const limitMs = story.isChild ? CHILD_LOOK_LIMIT_MS : story.input.policy.gateLimitS * 1000
      if (nowMs - beganMs > limitMs) throw error
      if (!story.isChild) await keepUp(story)
      if (story.isChild) await overhear(story, nowMs + LOOK_AGAIN_MS)
      else await attend(story, nowMs + LOOK_AGAIN_MS)
    }
  }
}

/** Whoever waits does this now and then. It may fail itself, and holds nobody up. */
export async function keepUp(story: Story): Promise<void> {
  if (story.heard.isKeepingUp) return
  story.heard.isKeepingUp = true
  try {
    await story.heard.upkeep()
  } finally {
    story.heard.isKeepingUp = false
  }
}

const BMC_DRIVERS: readonly string[] = ['bmc', 'redfish', 'ipmi']

/** What does not answer, as a blocker: nothing is touched while a state is unknown. */
export function unreachable({ driver, message }: DriverError): Blocker {
  const kind =
    driver === 'ceph' ? 'ceph-unreachable' : BMC_DRIVERS.includes(driver) ? 'bmc-unreachable' : 'cluster-unreachable'
  return { kind, text: message, lifts: 'it answers again' }
}

const noteUnreachable = (story: Story, error: DriverError) =>
  note(story, { kind: 'gate-closed', stage: story.heard.stage, blockers: [unreachable(error)] })

const PAUSE_POLL_MS = 60_000

/** What somebody said that the caller must deal with; pause, resume and abort are dealt with here. */
export type Word =
  | { readonly is: 'silence' }
  | { readonly is: 'control'; readonly message: Exclude<ControlMessage, { kind: 'pause' | 'resume' | 'abort' }> }
  | { readonly is: 'answer'; readonly answer: WorkOrderAnswer }

/**
 * Listens to people until `untilMs` (a time that is past makes it a look), or until one says something. While paused it does
 * not return: no new act begins; but for one who only watches ('watches'). Throws AbortAsked on abort, unless all is being taken
 * back already.
 */
export async function attend(story: Story, untilMs: number, how: 'acts' | 'watches' = 'acts'): Promise<Word> {
  for (;;) {
    const isHeld = () => story.heard.paused && how === 'acts'
    const deadlineMs = isHeld() ? (await story.saga.nowMs()) + PAUSE_POLL_MS : untilMs
    const word = await nextMessage(story, deadlineMs)
    if (word === 'deadline') {
      if (!isHeld()) return { is: 'silence' }
      await keepUp(story)
      continue
    }
    const said = await hear(story, word)
    if (said !== undefined) return said
  }
}

async function nextMessage(story: Story, deadlineMs: number): Promise<InboxMessage | 'deadline'> {
  return (await story.saga.receive<Json>(INBOX, deadlineMs)) as unknown as InboxMessage | 'deadline'
}

async function hear(story: Story, word: InboxMessage): Promise<Word | undefined> {
  if ('answer' in word) return { is: 'answer', answer: word.answer }
  const message = word.control
  switch (message.kind) {
    case 'pause':
      if (story.heard.undoing) return undefined
      story.heard.paused = true
      await noteMessage(story, word.key, { kind: 'paused', by: message.by })
      return undefined
    case 'resume':
      story.heard.paused = false
      await noteMessage(story, word.key, { kind: 'resumed', by: message.by })
      return undefined
    case 'abort':
      await noteMessage(story, word.key, { kind: 'abort-asked', by: message.by, reason: message.reason })
      story.heard.paused = false
      if (story.heard.undoing) return undefined
      throw new AbortAsked(message.by, message.reason)
    case 'lift': {
      await lift(story, word.key, message)
      return { is: 'control', message }
    }
    case 'approve':
    case 'reject':
      return { is: 'control', message }
  }
}

/** Takes effect for what may be lifted; for the rest he is told that nobody may. */
async function lift(story: Story, key: string, message: Extract<ControlMessage, { kind: 'lift' }>): Promise<void> {
  const { by, reason } = message
  const lifted = message.lifted.filter((kind) => BLOCKERS[kind].liftable)
  const firm = message.lifted.filter((kind) => !BLOCKERS[kind].liftable)
  story.heard.lifted = [...new Set([...story.heard.lifted, ...lifted])]
  if (lifted.length > 0) return noteMessage(story, key, { kind: 'blockers-lifted', by, lifted, reason })
  const text = `${by} asked to lift ${firm.join(', ')}: nobody may, it has to change in the world`
  await noteMessage(story, key, { kind: 'said', text })
}

export type Overheard = 'go-on' | 'pause' | 'abort'

/** For one who follows something under way: a pause does not hold him up, and he is told when the thing under way is to end. */
export async function overhear(story: Story, untilMs: number): Promise<Overheard> {
  const word = await nextMessage(story, untilMs)
  if (word === 'deadline') return 'go-on'
  try {
    await hear(story, word)
  } catch (error) {
    if (error instanceof AbortAsked) return 'abort'
    throw error
  }
  return 'control' in word && word.control.kind === 'pause' && word.control.cancelRunning ? 'pause' : 'go-on'
}

/** The parent and its children all hear a message; the journal shows it once, under the message's own key. */
async function noteMessage(story: Story, messageKey: string, event: Event): Promise<void> {
  await story.saga.step(`note ${event.kind}`, async () => {
    await story.ports.journal.append({ maintenance: story.input.id, key: `inbox/${messageKey}`, event })
    return null
  })
}

/** Before the first act of a stage: what people said meanwhile is heard, and a pause holds. */
export async function holdWhilePaused(story: Story): Promise<void> {
  do await attend(story, 0)
  while (story.heard.paused)
}

/** Lets `ms` pass, all ears, whatever people say meanwhile: two looks lie as far apart as they are meant to. */
export async function pass(story: Story, ms: number, how: 'acts' | 'watches' = 'acts'): Promise<void> {
  const untilMs = (await story.saga.nowMs()) + ms
  let word: Word
  do word = await attend(story, untilMs, how)
  while (word.is !== 'silence')
}
