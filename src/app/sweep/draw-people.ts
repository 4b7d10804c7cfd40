/** Draws what people do in a night: who approves how soon, who pauses, aborts and clicks twice, and whose hands repair. */
import { BLOCKERS, type BlockerKind } from '#domain/blocker'
import { FAULT_FIELDS } from '#lab/faults/kinds'
import { SIDE_EFFECTS } from '#lab/world/side-effects'
import type { Chance, Streams } from './chance.ts'
import type { Part } from './drawn-night.ts'

const LIFTABLE = (Object.keys(BLOCKERS) as BlockerKind[]).filter((kind) => BLOCKERS[kind].liftable).join(' ')
const STAGES = ['detect', 'plan', 'drain', 'drain', 'isolate', 'repair', 'verify', 'reintegrate', 'tell'] as const

/** A moment of the night in a script's words: by the clock, or after something that the journal tells. */
export function drawWhen(chance: Chance): { readonly at: (afterS: number) => string } {
  if (chance.isLikely(0.35)) {
    const beginsS = chance.between(0, 3 * 3600)
    return { at: (afterS) => `+${beginsS + afterS}s` }
  }
  const what = chance.isLikely(0.6)
    ? `stage-began ${chance.pick(STAGES)}`
    : chance.pick([
        'lease-held',
        'node-off',
        'node-on',
        'interlock',
        'node-empty',
        'soak-began',
        'work-order-issued',
        'intends',
        'plan-approved',
        'osds-back',
      ])
  const delayS = chance.isLikely(0.5) ? chance.between(0, 60) : chance.between(0, 1500)
  return { at: (afterS) => `after ${what} +${delayS + afterS}s` }
}

export function drawPeople(streams: Streams, approvalsNeeded: number): readonly Part[] {
  return [
    drawApprover(streams('approver'), approvalsNeeded),
    ...drawOperator(streams),
    drawHands(streams('hands')),
    ...drawTheDaysEnd(streams('end')),
  ]
}

/** How soon, and whether he lifts what may be lifted. */
function drawApprover(chance: Chance, approvalsNeeded: number): Part {
  const how = chance.pick(['prompt', 'prompt', 'prompt', 'slow', 'twice', 'twice', 'late', 'rejects', 'never'] as const)
  const isBold = chance.isLikely(0.75)
  const delayS = how === 'slow' ? chance.between(1200, 9000) : chance.between(5, 600)
  const isNever = how === 'never' && chance.isLikely(0.5)
  if (isNever) return { what: 'people', lines: [] }
  if (how === 'rejects' && chance.isLikely(0.5))
    return { what: 'people', lines: [`each plan-proposed +${delayS}s: reject not today`] }
  const lifts = isBold ? ` lift ${LIFTABLE}` : ''
  const lines = [`each plan-proposed +${delayS}s: approve${lifts}`]
  if (approvalsNeeded > 1) lines.push(`each plan-proposed +${delayS + 60}s: approve as pavel${lifts}`)
  if (how === 'twice') lines.push(`each plan-proposed +${delayS}s: approve${lifts}`, 'after plan-approved +0s: again')
  if (how === 'late') lines.push(`after plan-approved +${chance.between(1, 2000)}s: again late`)
  // A plan that has aged, or that came back from a gate, is approved again.
  lines.push(`each gate-closed plan +${delayS + 30}s: approve${lifts}`)
  if (approvalsNeeded > 1) lines.push(`each gate-closed plan +${delayS + 90}s: approve as pavel${lifts}`)
  if (isBold) lines.push(`each gate-closed +${chance.between(60, 1800)}s: lift ${LIFTABLE}`)
  if (isBold) lines.push(`each verification-failed +${chance.between(60, 900)}s: lift ${LIFTABLE}`)
  return { what: 'people', lines }
}

function drawOperator(streams: Streams): readonly Part[] {
  const parts: Part[] = []
  const pauses = streams('pauses')
  for (let count = pauses.isLikely(0.25) ? pauses.between(1, 2) : 0; count > 0; count--) {
    const when = drawWhen(pauses)
    const lastsS = pauses.isLikely(0.2) ? pauses.between(3600, 10 * 3600) : pauses.between(1, 1200)
    const cancel = pauses.isLikely(0.4) ? ' cancel-running' : ''
    const lines = [`${when.at(0)}: pause${cancel}`, `${when.at(lastsS)}: resume`]
    if (pauses.isLikely(0.3)) lines.push(`${when.at(0)}: pause${cancel}`, `${when.at(lastsS)}: resume`)
    parts.push({ what: 'people', lines })
  }
  const aborts = streams('aborts')
  if (aborts.isLikely(0.15)) {
    const when = drawWhen(aborts)
    const lines = [`${when.at(0)}: abort the customer says no`]
    if (aborts.isLikely(0.3)) lines.push(`${when.at(aborts.between(0, 60))}: abort really`)
    if (aborts.isLikely(0.2)) lines.push(`${when.at(aborts.between(1, 600))}: again late`)
    parts.push({ what: 'people', lines })
  }
  return parts
}

const DOES = FAULT_FIELDS.technician.shape.does.unwrap().options

function drawHands(chance: Chance): Part {
  const fault = {
    kind: 'technician',
    does: chance.isLikely(0.5) ? 'repairs' : chance.pick(DOES),
    arrivesAfterMin: chance.isLikely(0.1) ? chance.between(120, 400) : chance.between(1, 45),
    worksMin: chance.isLikely(0.1) ? chance.between(120, 400) : chance.between(2, 60),
    pullsCords: chance.isLikely(0.6),
  }
  const lines = [`+0s: fault ${JSON.stringify(fault)}`]
  if (chance.isLikely(0.3))
    lines.push(`+0s: fault ${JSON.stringify({ kind: 'after-repair', effect: chance.pick(SIDE_EFFECTS) })}`)
  if (chance.isLikely(0.15)) lines.push(`after work-order-answered +${chance.between(0, 900)}s: again answer late`)
  if (chance.isLikely(0.15)) lines.push('after work-order-answered +0s: again answer')
  return { what: 'hands', lines }
}

/** Somebody looks at what still waits, and what is stuck is taken over. */
function drawTheDaysEnd(chance: Chance): readonly Part[] {
  const parts: Part[] = []
  if (chance.isLikely(0.95))
    parts.push({ what: 'people', lines: [`+${chance.between(10, 40)}h: abort the day is over`] })
  if (chance.isLikely(0.7))
    parts.push({ what: 'people', lines: [`each maintenance-ended stuck +${chance.between(10, 120)}m: release`] })
  return parts
}
