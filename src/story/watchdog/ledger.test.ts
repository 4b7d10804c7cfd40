import { expect, test } from 'vitest'
import { due, EMPTY_LEDGER, enter, type Ledger, OVER_AFTER_MS, standingIn, told } from './ledger.ts'
import type { Alert, AlertKind } from './observation.ts'
import { mailOf } from './words.ts'

const MINUTE_MS = 60_000
const pace = { patienceMs: 2 * MINUTE_MS, renotifyMs: 60 * MINUTE_MS }
const alert = (kind: AlertKind, subject = 'pve3'): Alert => ({
  kind,
  subject,
  severity: 'critical',
  text: `${subject} ${kind}`,
  mend: 'look',
})

/** Looks every minute at what `alertsAt` says, tells by mail, and answers what was said and when. */
function play(
  minutes: number,
  alertsAt: (minute: number) => readonly Alert[],
  blindAt: (m: number) => AlertKind[] = () => [],
) {
  let ledger: Ledger = EMPTY_LEDGER
  const said: string[] = []
  for (let minute = 0; minute <= minutes; minute++) {
    const nowMs = minute * MINUTE_MS
    ledger = enter(ledger, { alerts: alertsAt(minute), blind: blindAt(minute) }, nowMs)
    const shouts = due(ledger, 'mail', pace, nowMs)
    said.push(...shouts.map(({ is, key }) => `${minute}: ${is} ${key}`))
    ledger = told(ledger, 'mail', shouts, nowMs)
  }
  return { said, ledger }
}

test('what stands is told once, again after a while, and when it is over', () => {
  const { said, ledger } = play(80, (minute) => (minute < 70 ? [alert('lease-expired')] : []))
  expect(said).toEqual(['0: new lease-expired/pve3', '60: again lease-expired/pve3', '75: over lease-expired/pve3'])
  expect(ledger).toEqual(EMPTY_LEDGER)
})

test('what comes and goes every minute is one piece of news', () => {
  const { said } = play(30, (minute) => (minute % 2 === 0 ? [alert('noout-lost')] : []))
  expect(said).toEqual(['0: new noout-lost/pve3'])
})

test('a restart within the patience is told to nobody; one that lasts is', () => {
  const gone = [alert('control-plane-gone', 'control plane')]
  expect(play(20, (minute) => (minute < 2 ? gone : [])).said).toEqual([])
  expect(play(4, () => gone).said).toEqual(['2: new control-plane-gone/control plane'])
})

test('what cannot be judged any more is not over', () => {
  const { said, ledger } = play(
    30,
    (minute) => (minute < 5 ? [alert('lease-expired')] : []),
    (minute) => (minute < 5 ? [] : ['lease-expired']),
  )
  expect(said).toEqual(['0: new lease-expired/pve3'])
  expect(standingIn(ledger)).toHaveLength(1)
})

test('each channel is told by itself: one that failed is told in the next look, and hears of the end only of what it heard', () => {
  const entered = enter(EMPTY_LEDGER, { alerts: [alert('lease-expired')], blind: [] }, 0)
  const afterMail = told(entered, 'mail', due(entered, 'mail', pace, 0), 0)
  expect(due(afterMail, 'mail', pace, MINUTE_MS)).toEqual([])
  expect(due(afterMail, 'webhook', pace, MINUTE_MS)).toMatchObject([{ is: 'new' }])
  const gone = enter(afterMail, { alerts: [], blind: [] }, MINUTE_MS)
  expect(standingIn(gone)).toEqual([])
  const later = MINUTE_MS + OVER_AFTER_MS
  expect(due(gone, 'mail', pace, later)).toMatchObject([{ is: 'over' }])
  expect(due(gone, 'webhook', pace, later)).toEqual([])
})

test('what happened is told once, does not stand, and is never over', () => {
  const { said, ledger } = play(70, (minute) => (minute === 0 ? [alert('lease-released')] : []))
  expect(said).toEqual(['0: new lease-released/pve3'])
  expect(ledger).toEqual(EMPTY_LEDGER)
})

test('a mail names the worst first, and says what to do', () => {
  const entered = enter(
    EMPTY_LEDGER,
    { alerts: [{ ...alert('maintenance-mode-left', 'pve1'), severity: 'warning' }, alert('lease-expired')], blind: [] },
    0,
  )
  const { subject, text } = mailOf(due(entered, 'mail', pace, 0), 'mad1', 0)
  expect(subject).toBe('mad1: pve3: the noout lease ran out (and 1 more)')
  expect(text).toContain('pve3 lease-expired.\nTo do: look\n\npve1: maintenance mode without a maintenance (warning')
})
