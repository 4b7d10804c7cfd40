/** Every guest back where it was when the maintenance began, by our own ledger, with every rule kept; paced as the drain was. */
import type { Origin } from '#domain/event'
import type { NodeName, Vmid } from '#domain/ids'
import { moveFacts } from '#drain/decide'
import type { MoveInput } from '#drain/move'
import { runMoves } from '#drain/steps'
import { proposeWayHome } from '#plan/way-home'
import { movingBlockers, othersAwayBlockers, quorumBlockers } from './conditions/quorum.ts'
import { observeAfterMoves } from './fresh-look.ts'
import { passGate } from './gate.ts'
import { look, note, pass, type Story } from './story.ts'

const ROUNDS_LIMIT = 12
const FAILED_PAUSE_MS = 15_000
/** HA brings back by itself what it moved, when maintenance mode ends: within one cycle of manager and LRM. */
const LEAVE_TO_HA_MS = 60_000

/** Resolves with those who could not come home, each said in the journal with its reason. */
export async function bringHome(
  story: Story,
  origins: readonly Origin[],
  haHandedOver: boolean,
): Promise<readonly Vmid[]> {
  const away = origins.filter((origin) => origin.status === 'running' || origin.kind === 'vm')
  const arrived: Record<string, NodeName> = {}
  let stays: readonly { readonly guest: Vmid; readonly text: string }[] = []
  for (let round = 0; round < ROUNDS_LIMIT; round++) {
    const leaveToHaMs = haHandedOver && round === 0 ? LEAVE_TO_HA_MS : 0
    await passGate(story, { stage: 'reintegrate', ask: () => brakes(story) })
    const next = await lookForNext(story, away, { leaveToHaMs, arrived })
    stays = next.stays
    if (next.inputs.length === 0) break
    const results = await runMoves(story, next.inputs, next.parallel)
    results.forEach((result, index) => {
      const guest = next.inputs[index]?.move.guest
      if (result.is === 'moved' && guest !== undefined) arrived[guest] = result.at
    })
    // A failed move is not asked for again in the same breath.
    if (results.some((result) => result.is === 'failed')) await pass(story, FAILED_PAUSE_MS)
  }
  for (const stay of stays) await note(story, { kind: 'guest-stays', guest: stay.guest, text: stay.text })
  return stays.map((stay) => stay.guest)
}

async function brakes(story: Story) {
  const { node } = story.input
  const cluster = await story.ports.hypervisor.observe()
  return [...quorumBlockers(cluster, node), ...othersAwayBlockers(cluster, node), ...movingBlockers(cluster)]
}

type Next = {
  readonly inputs: readonly MoveInput[]
  readonly parallel: number
  readonly stays: readonly { readonly guest: Vmid; readonly text: string }[]
}

/** The next step of the way home, seen from where everybody is now. */
async function lookForNext(
  story: Story,
  origins: readonly Origin[],
  now: { readonly leaveToHaMs: number; readonly arrived: Readonly<Record<string, NodeName>> },
): Promise<Next> {
  const { policy } = story.input
  return look(story, 'who is not home', async () => {
    const cluster = await observeAfterMoves(story.ports.hypervisor, now.arrived)
    const ledger = new Map(origins.map((origin) => [origin.vmid, origin.node]))
    const home = proposeWayHome({ cluster, origins: ledger, policy: { ...policy.plan, lifted: story.heard.lifted } })
    const step = Math.min(...home.moves.map((move) => move.step))
    const moves = home.moves.filter((move) => move.step === step)
    const facts = moveFacts(cluster, moves, policy.defaultPauseBudgetMs)
    const inputs = moves.map(({ guest, from, to, mode }, index): MoveInput => {
      const known = facts[index]
      return {
        maintenance: story.input,
        move: { guest, from, to, mode, purpose: 'home' },
        pauseBudgetMs: known?.pauseBudgetMs ?? policy.defaultPauseBudgetMs,
        withLocalDisks: known?.withLocalDisks ?? false,
        leaveToHaMs: known?.haManaged === true ? now.leaveToHaMs : 0,
        undoing: story.heard.undoing,
      }
    })
    return { inputs, parallel: home.parallelMigrations, stays: home.stays }
  })
}
