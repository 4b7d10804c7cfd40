/** Acts as sentences: what we are about to do, and what came of it. */
import type { Act, Outcome } from './act.ts'
import { durationText, measuredText, timeText } from './figures.ts'

type ActOf<K extends Act['kind']> = Extract<Act, { kind: K }>
type Words = { readonly [K in Act['kind']]: (act: ActOf<K>) => string }

const scopeText = (scope: 'host' | 'cluster') => (scope === 'host' ? 'for this host only' : 'for the whole cluster')
const osdsText = (osds: readonly number[]) => (osds.length === 0 ? 'no OSDs' : `OSDs ${osds.join(', ')}`)

function noticeText({ audience, customer, subject }: ActOf<'notify'>): string {
  return `${audience}${customer === undefined ? '' : ` ${customer}`}: notice "${subject}"`
}

/** Said before the act. A record with a key for every kind: the compiler names what somebody forgot. */
const INTENT: Words = {
  'set-maintenance-mode': ({ node, on }) => `${node}: maintenance mode goes ${on ? 'on' : 'off'}`,
  migrate: ({ guest, from, to, mode, purpose }) =>
    `guest ${guest}: moves ${purpose === 'home' ? 'home ' : ''}from ${from} to ${to}, ${mode}${purpose === 'make-room' || purpose === 'park' ? `, to ${purpose.replace('-', ' ')}` : ''}`,
  'cancel-migration': ({ guest, reason }) => `guest ${guest}: migration is cancelled, ${CANCEL_REASONS[reason]}`,
  'fail-mgr': ({ node }) => `${node}: active mgr hands over`,
  'put-lease': ({ node, expiresAtMs }) => `${node}: noout lease is written, until ${timeText(expiresAtMs)} UTC`,
  'delete-lease': ({ node }) => `${node}: noout lease is deleted`,
  'set-noout': ({ node, scope }) => `${node}: noout is set, ${scopeText(scope)}`,
  'clear-noout': ({ node, scope }) => `${node}: noout is cleared, ${scopeText(scope)}`,
  'stop-osds': ({ node, osds }) => `${node}: ${osdsText(osds)} stop, in order`,
  'shut-down': ({ node }) => `${node}: shuts down`,
  'power-on': ({ node }) => `${node}: is switched on`,
  'set-locate': ({ node, on }) => `${node}: locate LED goes ${on ? 'on' : 'off'}`,
  notify: (act) => `${noticeText(act)} goes out`,
  'publish-report': ({ customer }) => `customer ${customer}: report is published`,
  'issue-work-order': ({ order }) => `work order ${order} is issued`,
}

const CANCEL_REASONS = {
  'over-budget': 'its pause would grow over the budget',
  paused: 'the maintenance is paused',
  'too-long': 'it runs too long',
  aborted: 'all is taken back',
} as const

const DONE: Omit<Words, 'migrate'> = {
  'set-maintenance-mode': ({ node, on }) => `${node}: maintenance mode is ${on ? 'on' : 'off'}`,
  'cancel-migration': ({ guest, reason }) => `guest ${guest}: migration cancelled, ${CANCEL_REASONS[reason]}`,
  'fail-mgr': ({ node }) => `${node}: active mgr has handed over`,
  'put-lease': ({ node, expiresAtMs }) => `${node}: noout lease written, until ${timeText(expiresAtMs)} UTC`,
  'delete-lease': ({ node }) => `${node}: noout lease deleted`,
  'set-noout': ({ node, scope }) => `${node}: noout set, ${scopeText(scope)}`,
  'clear-noout': ({ node, scope }) => `${node}: noout cleared, ${scopeText(scope)}`,
  'stop-osds': ({ node, osds }) => `${node}: ${osdsText(osds)} stopped`,
  'shut-down': ({ node }) => `${node}: shutdown accepted`,
  'power-on': ({ node }) => `${node}: power on accepted`,
  'set-locate': ({ node, on }) => `${node}: locate LED is ${on ? 'on' : 'off'}`,
  notify: (act) => `${noticeText(act)} sent`,
  'publish-report': ({ customer }) => `customer ${customer}: report published`,
  'issue-work-order': ({ order }) => `work order ${order} issued`,
}

function wordsFor<T extends Partial<Words>>(words: T, act: Act): string {
  const say = words[act.kind] as ((act: Act) => string) | undefined
  return say === undefined ? act.kind : say(act)
}

function movedText({ guest, to, mode }: ActOf<'migrate'>, outcome: Outcome): string {
  if (outcome.is === 'failed') return `guest ${guest}: did not move to ${to}: ${outcome.text}`
  const already = outcome.is === 'already' ? ' already' : ''
  const at = outcome.at ?? to
  if (outcome.is === 'done' && outcome.stopped) return `guest ${guest}: lies on ${at}, and does not run`
  switch (mode) {
    case 'live':
      return `guest ${guest}: runs on ${at}${already}, blackout ${measuredText(outcome.measured)}`
    case 'restart':
      return `guest ${guest}: restarted on ${at}${already}, downtime ${measuredText(outcome.measured)}`
    case 'offline':
      return `guest ${guest}: lies on ${at}${already}, stopped`
  }
}

export const renderIntent = (act: Act) => wordsFor(INTENT, act)

export function renderOutcome(act: Act, outcome: Outcome): string {
  if (act.kind === 'migrate') return movedText(act, outcome)
  switch (outcome.is) {
    case 'done':
      return `${wordsFor(DONE, act)}${outcome.text === undefined ? '' : `: ${outcome.text}`}`
    case 'already':
      return `${wordsFor(DONE, act)}, was so already`
    case 'failed':
      return `failed: ${wordsFor(INTENT, act)}: ${outcome.text}`
  }
}

/** "62 ms" beside a budget: for sentences about pauses. */
export const overText = (valueMs: number, budgetMs: number) =>
  `${durationText(valueMs)}, budget ${durationText(budgetMs)}`
