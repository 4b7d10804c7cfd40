import fc from 'fast-check'
import { expect, test } from 'vitest'
import { viewOf } from '#domain/view'
import { MOMENTS, type NightMoment, nightRows } from '../sample-night.ts'
import { type LiveStream, LiveView, renderLive } from './live.ts'
import { cutTo, plain } from './terminal.ts'

function pictureAt(moment: NightMoment) {
  const rows = nightRows(moment)
  return { view: viewOf(rows), rows, nowMs: rows.at(-1)?.atMs ?? 0, simulated: true }
}

const SCREEN = { width: 100, height: 40, colours: false }

test('shows stages, who waits for what, progress, figures and the last of the journal', () => {
  expect(renderLive(pictureAt('draining'), SCREEN)).toEqual([
    'pve3  running: drain  +00:06:00  simulated',
    'FAN3 of pve3 dropped out 4 times in 31 h, 30 s each, and came back by itself',
    '',
    '✓ detect 0 ms         ✓ plan 4 min          ● drain 2 min         · isolate',
    '· repair              · verify              · reintegrate         · tell',
    '',
    '… drain waits for guest 102 to arrive on pve2',
    'NOT safe to touch: not proven yet',
    '',
    '  102   birch-db         pve3 → pve2     live    ████████░░░░░░░░░░░░ 43 %  7.0 GiB of 16 GiB',
    '  101   acorn-shop       pve3 → pve1     live    ✓ blackout 62 ms',
    '  103   cedar-mail       pve3 → pve1     restart planned',
    '',
    '1 guest moved, 0 home  ·  longest blackout 62 ms  ·  probe gap unmeasured  ·  noout not set',
    '',
    '+00:04:00  plan plan-1: approved by eva, lifting migration-network-is-corosync: limited to 4 Gbit/s',
    '+00:04:00  stage plan ends',
    '+00:04:00  stage drain begins',
    '+00:04:00  pve3: maintenance mode goes on',
    '+00:04:00  pve3: maintenance mode is on',
    '+00:05:00  guest 101: moves from pve3 to pve1, live',
    '+00:05:00  guest 102: moves from pve3 to pve2, live',
    '+00:06:00  guest 101: runs on pve1, blackout 62 ms',
  ])
})

test('never wider or higher than the screen, at any moment of the night', () => {
  const moments = Object.keys(MOMENTS) as NightMoment[]
  fc.assert(
    fc.property(
      fc.constantFrom(...moments),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (moment, width, height) => {
        const lines = renderLive(pictureAt(moment), { width, height, colours: false })
        expect(lines.length).toBeLessThanOrEqual(height)
        expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(width)
      },
    ),
  )
})

test('every blocker of a gate is shown', () => {
  const text = renderLive(pictureAt('at a gate'), SCREEN).join('\n')
  expect(text).toContain('isolate waits: 3 of 256 PGs are not clean')
  expect(text).toContain('isolate waits: an MDS lives on pve3')
})

test('where there is no terminal, the journal is written line by line, each row once', () => {
  const written: string[] = []
  const live = new LiveView({ write: (text: string) => written.push(text) }, { simulated: true })
  const rows = nightRows('draining')
  for (const row of rows.slice(0, 5)) live.row(row)
  for (const _ of [1, 2]) live.show(rows, 0)
  live.stop()
  expect(written).toHaveLength(rows.filter(({ event }) => event.kind !== 'guest-copying').length)
  expect(written.at(-1)).toBe('+00:06:00  guest 101: runs on pve1, blackout 62 ms\n')
})

test('a terminal gets its cursor back', () => {
  const written: string[] = []
  const stream: LiveStream = { write: (text: string) => written.push(text), isTTY: true, columns: 80, rows: 30 }
  const live = new LiveView(stream, { simulated: true })
  for (const row of nightRows('over')) live.row(row)
  live.stop()
  expect(written.at(-1)).toBe('\x1b[?25h')
  expect(written.join('')).toContain('pve3 is back, 3 of 3 guests are home')
})

test('a name from outside cannot move the cursor', () => {
  expect(plain(cutTo([{ text: 'a\x1b[2Jb\nc', tone: 'plain' }], 80))).toBe('a [2Jb c')
})
