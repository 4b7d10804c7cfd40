import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Customer } from '#domain/customer'
import type { Event, JournalRow } from '#domain/event'
import { customerId, maintenanceId, nodeName, type Vmid, vmid } from '#domain/ids'
import type { Ending } from '#domain/maintenance'
import type { Sha256 } from '#domain/merkle'
import { calendarEntryOf } from './calendar.ts'
import { type CustomerStory, customerStories, type RestartEstimate, storyAsTold } from './decide.ts'
import { toHtml } from './document/to-html.ts'
import { toMarkdown } from './document/to-markdown.ts'
import { guestStories } from './guest-story.ts'
import { customerMail } from './mail.ts'
import { reportOf } from './report.ts'
import {
  BAD_NIGHT,
  CUSTOMERS,
  FINDING,
  GOOD_NIGHT,
  move,
  origin,
  reading,
  rowsOf,
  type Timed,
} from './sample-journal.ts'
import { stakeOf, summaryOf } from './summary.ts'

const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
const OPTIONS = { simulated: false, hoster: 'Example Hosting' }

function storiesOf(events: readonly Timed[], customers: readonly Customer[] = CUSTOMERS, restart?: RestartEstimate) {
  return customerStories(rowsOf(events, sha256), customers, restart ? { restart } : {})
}

function storyOf(events: readonly Timed[], id: string, language?: Customer['language']): CustomerStory {
  const customers = CUSTOMERS.map((customer) => (language ? { ...customer, language } : customer))
  const story = storiesOf(events, customers).find(({ customer }) => customer.id === id)
  if (!story) throw new Error(`no story for ${id}`)
  return story
}

const plain = (text: string) => text.replaceAll('\u00a0', ' ').replaceAll('\u202f', ' ')
const shortText = (story: CustomerStory) => plain(summaryOf(story).join('\n'))
const wordCount = (text: string) => text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length
const visibleText = (page: string) =>
  page
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&amp;', '&')

describe('a night that goes well', () => {
  test('says in English what was seen, done and measured', () => {
    expect(shortText(storyOf(GOOD_NIGHT, 'acorn'))).toBe(
      [
        'The fan FAN3 of node pve3 stopped working 4 times in 31 h and started again each time.',
        'We moved 2 of your guests while they ran and restarted 1 guest to move it. The node was off from 09:22 to 10:06 UTC. Your 3 guests are where they were before.',
        'The longest pause that the hypervisor measured was 62 ms. For 1 of 4 moves it gave no figure. How long a restart took was not measured. Our outside probe, asking every 100 ms, saw a longest gap of 4.8 s, on acorn-cron.',
        'Ana Ruiz repaired the node, 39 min after the order. Storage ran with reduced redundancy from 09:20 to 10:25 UTC.',
        'Nothing is left to do for you.',
      ].join('\n'),
    )
  })

  test('says in French that the probe missed nothing, and what it cannot see', () => {
    const text = shortText(storyOf(GOOD_NIGHT, 'birch'))
    expect(text).toContain('Le ventilateur FAN3 du nœud pve3 a cessé de fonctionner 4 fois en 31 h')
    expect(text).toContain('Nous avons déplacé 1 de vos serveurs virtuels en marche.')
    expect(text).toContain('La plus longue pause mesurée par l’hyperviseur a été de 41 ms.')
    expect(text).toContain('toutes les 100 ms et toutes les réponses sont arrivées')
  })

  test('says in Spanish that nobody measured, with no figure and never a zero', () => {
    const story = storyOf(GOOD_NIGHT, 'cedar')
    expect(story.longestPause).toBe('unmeasured')
    const text = shortText(story)
    expect(text).toContain('Nadie midió cuánto duraron las pausas')
    expect(text).toContain('Nuestra sonda externa no midió nada.')
    expect(text).not.toMatch(/\d ?ms|\b0\b/)
    expect(visibleText(toHtml(reportOf(story, OPTIONS)))).toContain('prober was down')
  })

  test('one decimal is written as the language writes it', () => {
    const texts = (['en', 'fr', 'es'] as const).map((language) => shortText(storyOf(GOOD_NIGHT, 'acorn', language)))
    expect(texts[0]).toContain('4.8 s')
    expect(texts[1]).toContain('4,8 s')
    expect(texts[2]).toContain('4,8 s')
  })

  test('names the journal that stands behind it', () => {
    const rows = rowsOf(GOOD_NIGHT, sha256)
    const story = storyOf(GOOD_NIGHT, 'acorn')
    expect(story.evidence).toEqual({ entryCount: rows.length, lastHash: rows.at(-1)?.hash })
    expect(toHtml(reportOf(story, OPTIONS))).toContain(rows.at(-1)?.hash)
    expect(customerMail(story, OPTIONS).text).toContain(rows.at(-1)?.hash)
  })
})

describe('a night that goes badly', () => {
  const acorn = storyOf(BAD_NIGHT, 'acorn')

  test('has the same form, and says so on top', () => {
    const text = shortText(acorn)
    expect(text).toContain('Part of the work could not be taken back. Our people are on it.')
    expect(text).toContain('1 move did not succeed.')
    expect(text).toContain('1 pause was longer than agreed: 1.8 s, where 1 s was the limit.')
    expect(text).toContain('2 of 3 guests are where they were before.')
    expect(text).toContain('Storage ran with reduced redundancy since 09:09 UTC.')
    expect(text).toContain('Ana Ruiz could not repair the node')
    expect(text).not.toContain('Nothing is left')
  })

  test('a technician who names another customer is quoted without him', () => {
    expect(acorn.repairs[0]?.found).toBe('No spare left; the last went to […] ([…], […]).')
    expect(storyOf(BAD_NIGHT, 'cedar').repairs[0]?.found).toContain('Cedro S.A. (guest 301, cedar-mail)')
  })

  test('who was not moved is told that, and nothing of pauses', () => {
    const text = shortText(storyOf(BAD_NIGHT, 'birch', 'en'))
    expect(text).toContain('None of your guests was moved. 1 move did not succeed.')
    expect(text).not.toMatch(/pause|probe/)
  })

  test('a move without an outcome in the journal is said as that', () => {
    const cut = GOOD_NIGHT.slice(0, 3)
    const story = storyOf(cut, 'acorn')
    expect(story.ending).toBe('running')
    expect(story.guests[0]?.moves).toMatchObject([{ is: 'open', pause: 'unmeasured' }])
    expect(visibleText(toHtml(reportOf(story, OPTIONS)))).toContain('outcome not recorded')
  })
})

describe('what was at stake', () => {
  test('is a range with its basis where one was measured, and unmeasured where not', () => {
    const basis = { fromS: 120, toS: 360, basis: '12 restarts in our tests' }
    const [told] = storiesOf(GOOD_NIGHT, CUSTOMERS, basis)
    expect(told && plain(stakeOf(told))).toBe(
      'Had the node failed outright, 3 running guests of yours would have stopped with it, until restarted. A restart takes 2 min to 6 min (basis: 12 restarts in our tests). Nobody can know whether it would have failed.',
    )
    expect(stakeOf(storyOf(GOOD_NIGHT, 'acorn'))).toContain('was not measured here')
  })
})

describe('the page', () => {
  const NASTY = '<img src=x onerror=alert(1)>"\'&\u202e\u0000'

  test('escapes whatever comes from outside', () => {
    const customers = CUSTOMERS.map((customer) => ({ ...customer, name: NASTY }))
    const answered = GOOD_NIGHT.map(([minute, event]): Timed => {
      if (event.kind === 'work-order-answered') {
        return [minute, { ...event, answer: { ...event.answer, by: NASTY, found: NASTY, did: [NASTY] } }]
      }
      if (event.kind !== 'origins-recorded') return [minute, event]
      return [minute, { ...event, origins: event.origins.map((guest) => ({ ...guest, name: NASTY })) }]
    })
    for (const story of storiesOf(answered, customers)) {
      const page = toHtml(reportOf(story, { simulated: true, hoster: NASTY }))
      expect(page).not.toContain('<img')
      for (const sign of ['\u202e', '\u0000']) expect(page).not.toContain(sign)
      expect(customerMail(story, { simulated: true, hoster: NASTY }).subject).not.toContain('\n')
    }
  })

  test.each(['en', 'fr', 'es'] as const)('in %s says its language, has no script, and labels the lab', (language) => {
    const story = storyOf(GOOD_NIGHT, 'acorn', language)
    const word = { en: 'Simulated', fr: 'Simulé', es: 'Simulado' }[language]
    const page = toHtml(reportOf(story, { ...OPTIONS, simulated: true }))
    expect(page).toContain(`<html lang="${language}">`)
    expect(page).not.toMatch(/<script|https?:\/\//)
    expect(page.split(word).length).toBeGreaterThan(3)
    expect(toHtml(reportOf(story, OPTIONS))).not.toContain(word)
    const mail = customerMail(story, { ...OPTIONS, simulated: true })
    expect(mail.subject).toContain(`[${word}]`)
    expect(mail.text).toContain(word)
    expect(page).not.toMatch(/undefined|NaN|\[object|!(?!doctype)/)
  })
})

describe('over random journals', () => {
  const node = nodeName('pve3')
  const names = ['acorn', 'birch', 'cedar'] as const
  const guests = names.flatMap((name, index) =>
    [1, 2, 3].map((number) => origin((index + 1) * 1000 + number, `${name}-guest-${number}`, name)),
  )
  const anyGuest = fc.constantFrom(...guests.map(({ vmid: id }) => id))
  const anyMove = fc.record({
    guest: anyGuest,
    minute: fc.constant(0),
    home: fc.boolean(),
    mode: fc.constantFrom('live' as const, 'restart' as const, 'offline' as const),
    measured: fc.option(fc.record({ blackoutMs: fc.integer({ min: 1, max: 5000 }) }), { nil: undefined }),
    fails: fc.boolean(),
  })
  const freeText = fc
    .array(
      fc.constantFrom(
        'dust',
        'acorn',
        'birch-guest-2',
        'CEDAR',
        'vm 1001',
        'guest 3002',
        'Bouleau & Fils',
        'Acorn Ltd',
      ),
    )
    .map((words) => words.join(' '))

  const anyEvent = fc.oneof(
    { weight: 6, arbitrary: anyMove.map(({ measured, ...way }) => move({ ...way, ...(measured && { measured }) })) },
    fc
      .tuple(fc.constantFrom(...names), fc.array(fc.tuple(anyGuest, fc.nat(30), fc.nat(3000), fc.boolean(), freeText)))
      .map(([customer, readings]): readonly Timed[] => [
        [
          0,
          {
            kind: 'probe-read',
            customer: customerId(customer),
            readings: readings.map(([guest, lost, gap, isMeasured, reason]) =>
              isMeasured ? reading(guest, lost, gap) : { is: 'unmeasured', guest, reason },
            ),
          },
        ],
      ]),
    fc
      .tuple(anyGuest, fc.integer({ min: 1001, max: 9000 }))
      .map(([guest, blackoutMs]): readonly Timed[] => [
        [0, { kind: 'pause-over-budget', guest, blackoutMs, budgetMs: 1000 }],
      ]),
    fc
      .tuple(freeText, fc.constantFrom('repaired' as const, 'nothing-found' as const, 'cannot' as const))
      .map(([found, outcome]): readonly Timed[] => {
        const answer = { order: 'wo-1' as never, by: 'Ana Ruiz', serial: 'S', outcome, found, did: [found], photos: [] }
        return [[0, { kind: 'work-order-answered', answer }]]
      }),
    fc.constantFrom<readonly Timed[]>(
      [[0, { kind: 'did', act: { kind: 'set-noout', node, scope: 'host' }, outcome: { is: 'done' } }]],
      [[0, { kind: 'did', act: { kind: 'clear-noout', node, scope: 'host' }, outcome: { is: 'done' } }]],
      [[0, { kind: 'node-off', node, provenBy: 'bmc' }]],
      [[0, { kind: 'node-on', node, by: 'us' }]],
      [[0, { kind: 'verified', node, evidence: [] }]],
      [[0, { kind: 'verification-failed', node, blockers: [] }]],
    ),
    freeText.map((text): readonly Timed[] => [[0, { kind: 'said', text }]]),
  )
  const anyJournal = fc
    .tuple(
      fc.array(anyEvent, { maxLength: 40 }),
      fc.constantFrom<Ending | 'running'>('done', 'undone', 'failed', 'stuck', 'running'),
      fc.constantFrom('intermittent' as const, 'hard' as const, 'common-cause' as const, 'operator' as const),
    )
    .map(([events, ending, kind]): readonly Timed[] => {
      const all: readonly Timed[] = [
        [0, { kind: 'maintenance-opened', node, finding: { ...FINDING, class: kind }, requestedBy: 'operator' }],
        [0, { kind: 'origins-recorded', origins: guests }],
        ...events.flat(),
        ...(ending === 'running' ? [] : ([[0, { kind: 'maintenance-ended', ending, text: 'acorn-guest-1' }]] as const)),
      ]
      return all.map(([, event], index) => [index * 3, event])
    })

  test('nobody reads another customer’s name, guest or number', () => {
    fc.assert(
      fc.property(anyJournal, fc.constantFrom('en' as const, 'fr' as const, 'es' as const), (events, language) => {
        for (const story of storiesOf(
          events,
          CUSTOMERS.map((customer) => ({ ...customer, language })),
        )) {
          const mine = names.indexOf(story.customer.id as (typeof names)[number])
          const others = CUSTOMERS.filter((_, index) => index !== mine)
          const ids = guests.filter((guest) => guest.customer !== story.customer.id).map((guest) => guest.vmid)
          const mail = customerMail(story, OPTIONS)
          const page = visibleText(toHtml(reportOf(story, OPTIONS)))
          for (const text of [page, mail.subject, mail.text, JSON.stringify(story)]) {
            const withoutHash = text.replaceAll(story.evidence.lastHash, '').toLowerCase()
            for (const other of others) {
              expect(withoutHash).not.toContain(other.name.toLowerCase())
              expect(withoutHash).not.toContain(other.id.toLowerCase())
            }
            for (const id of ids) expect(withoutHash).not.toMatch(new RegExp(`(guest|vm) ${id}\\b`))
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  test('the plain words are at most 150, and every figure with a unit was measured', () => {
    fc.assert(
      fc.property(anyJournal, fc.constantFrom('en' as const, 'fr' as const, 'es' as const), (events, language) => {
        for (const story of storiesOf(
          events,
          CUSTOMERS.map((customer) => ({ ...customer, language })),
        )) {
          const text = shortText(story)
          expect(wordCount(text)).toBeLessThanOrEqual(150)
          const figures = [...text.matchAll(/(?<!\p{L})[\d.,]+ (ms|s)(?![\p{L}’])/gu)].map(([figure]) => figure)
          const told = figuresOf(story)
          for (const figure of figures) expect(told).toContain(figure.replace(',', '.'))
          expect(text).not.toMatch(/\b0 (ms|s)\b|no impact|100 ?%/i)
        }
      }),
      { numRuns: 300 },
    )
  })

  /** Every pause, gap, limit and interval that the journal holds for this customer, as it would be written. */
  function figuresOf(story: CustomerStory): readonly string[] {
    const pauses = story.guests.flatMap(({ moves }) =>
      moves.flatMap(({ pause }) => (pause === 'unmeasured' ? [] : [pause.blackoutMs])),
    )
    const over = story.guests.flatMap(({ overBudget }) => overBudget.flatMap((one) => [one.blackoutMs, one.budgetMs]))
    const probes = story.probe.readings.flatMap((one) =>
      one.is === 'measured' ? [one.intervalMs, ...(one.lostCount > 0 ? [one.longestGapMs] : [])] : [],
    )
    return [...pauses, ...over, ...probes].map((ms) =>
      ms < 1000 ? `${ms} ms` : `${String(Math.round(ms / 100) / 10).replace(/\.0$/, '')} s`,
    )
  }

  test('a guest that no reading covers is counted as unwatched, never as quiet', () => {
    const guest: Vmid = vmid(1001)
    const late = move({ guest, minute: 500, measured: { blackoutMs: 50 } })
    const opened: Timed = [0, { kind: 'maintenance-opened', node, finding: FINDING, requestedBy: 'operator' }]
    const probed: Timed = [600, { kind: 'probe-read', customer: customerId('acorn'), readings: [reading(guest, 0, 0)] }]
    const story = storyOf([opened, [0, { kind: 'origins-recorded', origins: guests }], ...late, probed], 'acorn')
    expect(story.probe.unwatchedMoves).toBe(1)
    expect(shortText(story)).toContain('1 move it did not watch to the end.')
  })
})

test('a guest that HA took to another node than we asked for is shown where it went, as one move', () => {
  const act = {
    kind: 'migrate',
    guest: vmid(101),
    from: nodeName('pve3'),
    to: nodeName('pve1'),
    mode: 'live',
    purpose: 'drain',
  } as const
  const origin = { vmid: vmid(101), name: 'web', kind: 'vm', node: nodeName('pve3'), status: 'running' } as const
  const row = (seq: number, atMs: number, event: Event): JournalRow => ({
    maintenance: maintenanceId('m'),
    seq,
    key: `k${seq}`,
    atMs,
    event,
    prevHash: '',
    hash: '',
  })
  const outcome = { is: 'done', measured: { blackoutMs: 60 }, at: nodeName('pve4') } as const
  const rows = [
    row(1, 1_000, { kind: 'intends', act }),
    row(2, 9_000, { kind: 'did', act, outcome }),
    row(3, 9_000, { kind: 'guest-moved-by-others', guest: vmid(101), from: nodeName('pve3'), to: nodeName('pve4') }),
  ]
  const [story] = guestStories(rows, [origin])
  expect(story?.moves.map(({ to }) => to)).toEqual(['pve4'])
  expect(story).toMatchObject({ movedByOthers: 0, endsOn: 'pve4' })
})

describe('in the customer’s own time', () => {
  const inZone = (timeZone: string) => {
    const story = storyOf(GOOD_NIGHT, 'acorn')
    return { ...story, customer: { ...story.customer, timeZone } }
  }

  test('times are his, and say so', () => {
    expect(shortText(inZone('Europe/Madrid'))).toContain('The node was off from 10:22 to 11:06 CET.')
    expect(visibleText(toHtml(reportOf(inZone('Europe/Madrid'), OPTIONS)))).toContain(
      'the time zone Europe/Madrid (CET)',
    )
  })

  test('a zone that nobody knows is UTC, and called so', () => {
    expect(shortText(inZone('Mars/Olympus'))).toContain('The node was off from 09:22 to 10:06 UTC.')
  })
})

describe('the calendar', () => {
  test('is one entry whose sequence rises as the journal grows, and whose state follows the work', () => {
    const rows = rowsOf(GOOD_NIGHT, sha256)
    const entries = rows.flatMap((_, end) => {
      const told = rows.slice(0, end + 1)
      const story = storyAsTold(told, CUSTOMERS, { customer: customerId('birch') })
      return story === undefined
        ? []
        : [calendarEntryOf(story, told, { hoster: 'Example Hosting', mail: 'noc@h.example' })]
    })
    expect(new Set(entries.map(({ uid }) => uid)).size).toBe(1)
    const sequences = entries.map(({ sequence }) => sequence)
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
    for (const { fromMs, toMs } of entries) expect(toMs).toBeGreaterThan(fromMs)
    expect([...new Set(entries.map(({ status }) => status))].at(-1)).toBe('COMPLETED')
    expect(entries.at(-1)).toMatchObject({ impact: 'REDUCED-REDUNDANCY', objects: ['birch-shop'] })
    expect(JSON.stringify(entries)).not.toMatch(/acorn|cedar/)
  })

  test('a restart of his is an outage, and is called that', () => {
    const rows = rowsOf(GOOD_NIGHT, sha256)
    const story = storyOf(GOOD_NIGHT, 'acorn')
    expect(calendarEntryOf(story, rows, { hoster: 'H', mail: 'n@h.example' }).impact).toBe('OUTAGE')
  })
})

test('Markdown holds the same words, and no name becomes a link', () => {
  const story = storyOf(GOOD_NIGHT, 'acorn')
  const nasty = { ...story, customer: { ...story.customer, name: '[click](https://evil.example) <b>' } }
  const text = toMarkdown(reportOf(nasty, OPTIONS))
  expect(text).toContain('\\[click\\](https://evil.example) \\<b\\>')
  for (const paragraph of summaryOf(story)) expect(plain(text)).toContain(plain(paragraph))
})
