/** The measured half of the live page: moves with their progress, and the figures with what was not measured. */
import { bytesText, durationText, measuredText, timeText } from '#domain/figures'
import { copiedFraction } from '#domain/status'
import {
  endOf,
  homecomingOf,
  longestBlackoutOf,
  longestProbeGapOf,
  longestRestartOf,
  type MaintenanceView,
  type MoveView,
  unmeasuredMoveCountOf,
} from '#domain/view'
import { type Html, html } from './html.ts'
import { badge } from './layout.ts'

export function movesCard({ moves, guests }: MaintenanceView): Html | undefined {
  if (moves.length === 0) return undefined
  const names = new Map(guests.map(({ vmid, name }) => [vmid, name]))
  const rows = moves.map(
    (
      move,
    ) => html`<tr><td class="num"><b>${move.guest}</b><br><small class="dim">${names.get(move.guest) ?? ''}</small></td>
<td>${move.from} → ${endOf(move)}<br><small class="dim">${move.mode}${PURPOSES[move.purpose]}${endOf(move) !== move.to && `, HA’s choice; sent to ${move.to}`}</small></td><td>${moveState(move)}</td></tr>`,
  )
  return html`<section class="card"><h2>Moves</h2><div class="scroll" tabindex="0" role="region" aria-label="Moves"><table>
<thead><tr><th scope="col">Guest</th><th scope="col">Way</th><th scope="col">State</th></tr></thead><tbody>${rows}</tbody></table></div></section>`
}

const PURPOSES = { drain: '', 'make-room': ', makes room', park: ', parks', home: ', home' } as const

function moveState(move: MoveView): Html {
  const { state } = move
  switch (state.is) {
    case 'planned':
      return badge('planned', 'plain')
    case 'copying':
      return copying(move, state)
    case 'done':
      return html`${badge('done', 'good')} <span class="num">${doneText(move, state.measured)}</span>`
    case 'failed':
      return html`${badge('failed', 'bad')} ${state.text}`
  }
}

function copying(move: MoveView, state: Extract<MoveView['state'], { is: 'copying' }>): Html {
  const fraction = copiedFraction(move)
  if (fraction === 'unknown')
    return html`${badge('copying', 'busy')} <small class="dim">since ${timeText(state.sinceMs)}</small>`
  const percent = Math.floor(fraction * 100)
  return html`${badge(`copying ${percent} %`, 'busy')} <small class="dim num">${bytesText(state.transferredBytes)} of ${bytesText(state.totalBytes)}</small>
<progress max="100" value="${percent}" aria-label="guest ${move.guest} copied">${percent} %</progress>`
}

function doneText({ mode }: MoveView, measured: Parameters<typeof measuredText>[0]): string {
  if (mode === 'offline') return 'was stopped, nobody paused'
  return `${mode === 'live' ? 'blackout' : 'downtime'} ${measuredText(measured)}`
}

/** Each figure with its source; what nobody measured is said. */
export function figuresCard(view: MaintenanceView): Html {
  const { moved, home } = homecomingOf(view)
  const restart = longestRestartOf(view)
  return html`<section class="card"><h2>Figures</h2><dl class="figures">
<div><dt>Longest blackout</dt><dd class="num">${measuredText(longestBlackoutOf(view))}<small>${unmeasuredNote(view)}</small></dd></div>
<div><dt>Longest gap, by probe</dt><dd class="num">${gapText(view)}</dd></div>
<div><dt>Guests moved</dt><dd class="num">${moved}<small>${home} of them are home</small></dd></div>
<div><dt>noout</dt><dd class="num">${nooutText(view)}</dd></div>
${restart !== 'unmeasured' && html`<div><dt>Longest restart</dt><dd class="num">${measuredText(restart)}<small>containers, stopped and started</small></dd></div>`}
${view.overBudget.length > 0 && html`<div><dt>Over their budget</dt><dd class="num">${view.overBudget.length} ${badge('said', 'bad')}</dd></div>`}
<div><dt>Power</dt><dd>${view.power}</dd></div>
<div><dt>Verification</dt><dd>${verificationText(view)}</dd></div>
</dl></section>`
}

function unmeasuredNote(view: MaintenanceView): string {
  const count = unmeasuredMoveCountOf(view)
  if (count > 0) return `by the hypervisor; ${count} not measured`
  return longestBlackoutOf(view) === 'unmeasured' ? 'no live move was timed yet' : 'by the hypervisor, all measured'
}

function gapText(view: MaintenanceView): Html {
  const gap = longestProbeGapOf(view)
  if (gap === 'unmeasured') return html`unmeasured<small>no reading of the prober yet</small>`
  return html`${durationText(gap.gapMs)}<small>guest ${gap.guest}, one probe every ${durationText(gap.intervalMs)}</small>`
}

function nooutText({ noout, lease }: MaintenanceView): Html {
  if (lease.is === 'expired') return html`${badge('lease EXPIRED', 'bad')}<small>a person has to look</small>`
  if (noout.setAtMs === undefined) return html`not set`
  const scope = noout.scope === 'cluster' ? 'cluster-wide' : 'this host only'
  if (noout.clearedAtMs !== undefined) return html`cleared<small>at ${timeText(noout.clearedAtMs)}, ${scope}</small>`
  const until = lease.is === 'held' ? `, lease until ${timeText(lease.lease.expiresAtMs)}` : ''
  return html`set<small>${scope}${until}</small>`
}

function verificationText({ verification }: MaintenanceView): Html {
  switch (verification.is) {
    case 'none':
      return html`not yet`
    case 'soaking':
      return html`soaking<small>until ${timeText(verification.untilMs)}</small>`
    case 'failed':
      return html`failed<small>${verification.blockers.map(({ text }) => text).join('; ')}</small>`
    case 'verified':
      return html`passed<small>${verification.evidence.length} findings of evidence, see the journal</small>`
  }
}
