/** HA goes on moving guests while the story waits or is paused: who left unfollowed is accounted for, and his pause told. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Measured } from '#domain/measured'
import { observeAfterMoves } from '../fresh-look.ts'
import { look, type Story } from '../story.ts'
import { moveFacts } from './decide.ts'
import { concludeMove, type MoveInput } from './move.ts'

/** A clock a little behind ours would hide the very task that brought it away. */
const CLOCKS_APART_MS = 40_000

type Left = { readonly input: MoveInput; readonly at: NodeName; readonly measured: Measured }

/** Each is told of once. A cluster that does not answer is asked again the next time. */
export async function tellWhoLeft(story: Story, sinceMs: number): Promise<void> {
  if (unheardOf(story).length === 0) return
  try {
    const left = await look(story, `who left ${story.input.node} by himself`, () => whoLeft(story, sinceMs))
    for (const { input, at, measured } of left) {
      story.heard.arrived[input.move.guest] = at
      await concludeMove(story, input, { is: 'done', measured }, at)
    }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
  }
}

/** Of the node's running guests those whom no move of ours brought away. */
export const unheardOf = ({ heard, input }: Story) =>
  heard.origins.filter(
    (one) => one.node === input.node && one.status === 'running' && heard.arrived[one.vmid] === undefined,
  )

async function whoLeft(story: Story, sinceMs: number): Promise<Left[]> {
  const { hypervisor } = story.ports
  const { node, policy } = story.input
  const { arrived, undoing } = story.heard
  const unheard = unheardOf(story)
  const cluster = await observeAfterMoves(hypervisor, arrived, { avoid: node })
  const gone = cluster.guests.filter((guest) => guest.node !== node && unheard.some(({ vmid }) => vmid === guest.vmid))
  const left: Left[] = []
  for (const guest of gone) {
    const [facts] = moveFacts(cluster, [{ guest: guest.vmid }], { defaultBudgetMs: policy.defaultPauseBudgetMs })
    const handle = await hypervisor.findMigration({ guest: guest.vmid, from: node, sinceMs: sinceMs - CLOCKS_APART_MS })
    const progress = handle === undefined ? undefined : await hypervisor.follow(handle)
    if (facts === undefined || progress?.is !== 'ended' || progress.outcome !== 'ok') continue
    const mode = guest.kind === 'ct' ? 'restart' : 'live'
    const input: MoveInput = {
      maintenance: story.input,
      move: { guest: guest.vmid, from: node, to: guest.node, mode, purpose: 'drain' },
      pauseBudgetMs: facts.pauseBudgetMs,
      withLocalDisks: facts.withLocalDisks,
      leaveToHaMs: 0,
      haManaged: facts.haManaged,
      forecastMs: 0,
      together: facts.together,
      undoing,
      drainBeganMs: sinceMs,
      mayOverrun: false,
    }
    left.push({ input, at: guest.node, measured: progress.blackout })
  }
  return left
}
