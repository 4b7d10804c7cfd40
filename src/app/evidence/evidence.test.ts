/** A customer's evidence from the first row to the verifier, over real keys and random fleets. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Customer } from '#domain/customer'
import type { JournalRow } from '#domain/event'
import { customerId, maintenanceId, nodeName, type Vmid, vmid } from '#domain/ids'
import { canonicalJson } from '#domain/json'
import type { SignedHead } from '#domain/tree-head'
import type { SigningKey } from '#drivers/files/signing-key'
import { MemoryJournal } from '#lab/memory-journal'
import { carriedSentences, type Evidence } from '#tell/bundle'
import { customerStories } from '#tell/decide'
import { toHtml } from '#tell/document/to-html'
import { customerMail } from '#tell/mail'
import { reportOf } from '#tell/report'
import { BAD_NIGHT, CUSTOMERS, FINDING, GOOD_NIGHT, move, reading, type Timed } from '#tell/sample-journal'
import { stakeOf, summaryOf } from '#tell/summary'
import { BadInput } from '../bad-input.ts'
import { evidenceDesk } from './desk.ts'
import { type HeadStore, JournalRoots } from './journal-roots.ts'
import { readRoots, verifyEvidence } from './read-evidence.ts'

const DAY = 86_400_000
const START_MS = Date.UTC(2026, 10, 3, 9)
const ID = maintenanceId('pve3-night')
const OPTIONS = { simulated: false, hoster: 'Example Hosting' }

function freshKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString('hex'),
  }
}

function memoryHeads(): HeadStore {
  const heads: SignedHead[] = []
  const keys: Awaited<ReturnType<HeadStore['keys']>>[number][] = []
  return {
    heads: async (after) => heads.slice(after),
    addHead: async (head) => heads.push(head) > 0,
    keys: async () => [...keys],
    addKey: async (_, key) => keys.push(key) > 0,
  }
}

/** A journal of several maintenances, its tree and the desk, as they stand after these events. */
async function worldOf(events: readonly Timed[], customers: readonly Customer[] = CUSTOMERS, key = freshKey()) {
  let nowMs = START_MS
  let draws = 0
  const clock = { nowMs: async () => nowMs, sleepUntil: async () => {} }
  const fresh = () => createHash('sha256').update(`${++draws}`).digest('hex').slice(0, 32)
  const journal = new MemoryJournal(clock, { fresh })
  const all: JournalRow[] = []
  journal.onRow((row) => all.push(row))
  const store = memoryHeads()
  const inventory = {
    ...OPTIONS,
    customer: async (id: string) => customers.find((one) => one.id === id),
  }
  const kept = {
    read: (id: typeof ID) => journal.read(id),
    places: async (id: typeof ID) => all.flatMap(({ maintenance }, index) => (maintenance === id ? [index] : [])),
    hashes: async (from: number) => all.slice(from).map(({ hash }) => hash),
    erase: async () => 0,
  }
  const rootsWith = (parts: { key: SigningKey; oldKey?: SigningKey }) =>
    new JournalRoots({ journal: kept, store, clock, ...OPTIONS, ...parts })
  const roots = rootsWith({ key })
  const world = {
    journal,
    roots,
    rootsWith,
    kept,
    inventory,
    desk: evidenceDesk({ journal: kept, roots, key, inventory }),
    at: (ms: number) => {
      nowMs = ms
    },
    other: (text: string) =>
      journal.append({ maintenance: maintenanceId('another'), key: text, event: { kind: 'said', text } }),
  }
  await world.other('before')
  await roots.keepDaily()
  for (const [index, [minute, event]] of events.entries()) {
    nowMs = START_MS + minute * 60_000
    await journal.append({ maintenance: ID, key: `k${index}`, event })
    if (index % 7 === 0) await world.other(`between ${index}`)
  }
  return world
}

async function bundleOf(events: readonly Timed[], customer: string, customers = CUSTOMERS) {
  const world = await worldOf(events, customers)
  const text = await world.desk.bundle(ID, customerId(customer))
  if (text === undefined) throw new Error(`no evidence for ${customer}`)
  return { world, text, evidence: JSON.parse(text) as Evidence }
}

/** Whatever was done to a bundle, its verifier says ok, not ok, or that this is no bundle. */
function verdictOf(text: string): 'ok' | 'not ok' | 'bad input' {
  try {
    return verifyEvidence(text, 'bundle.json', []).ok ? 'ok' : 'not ok'
  } catch (error) {
    if (error instanceof BadInput) return 'bad input'
    throw error
  }
}

describe('a bundle', () => {
  test.each(['acorn', 'birch', 'cedar'])('of %s is ok, and says what his page says', async (customer) => {
    for (const night of [GOOD_NIGHT, BAD_NIGHT]) {
      const { world, text, evidence } = await bundleOf(night, customer)
      expect(verifyEvidence(text, 'bundle.json', []).problems).toEqual([])
      const story = customerStories(await world.journal.read(ID), CUSTOMERS).find((one) => one.customer.id === customer)
      if (story === undefined) throw new Error('no story')
      const told = evidence.sentences.map((sentence) => sentence.text).join(' ')
      for (const paragraph of [...summaryOf(story), stakeOf(story)]) expect(told).toContain(paragraph)
      for (const { text: said, rests } of evidence.sentences) {
        if (/\d/.test(said)) expect(rests.entries.length).toBeGreaterThan(0)
      }
    }
  })

  test('rests each figure on its sample and its entry', async () => {
    const { evidence } = await bundleOf(GOOD_NIGHT, 'acorn')
    const ids = evidence.samples.map(({ id }) => id)
    const seqs = evidence.entries.map(({ seq }) => seq)
    for (const { text, rests } of evidence.sentences) {
      expect(ids).toEqual(expect.arrayContaining([...rests.samples]))
      expect(seqs).toEqual(expect.arrayContaining([...rests.entries]))
      if (/\d\u00a0m?s\b/.test(text)) expect(rests.samples).not.toEqual([])
    }
    const pause = evidence.sentences.find(({ id }) => id === 'pause')
    expect(pause?.rests.samples).toHaveLength(3)
  })

  test('whose journal names a technician’s words about others keeps them back whole', async () => {
    const { text, evidence } = await bundleOf(BAD_NIGHT, 'acorn')
    expect(text).not.toMatch(/cedar|cedro|guest 301/i)
    expect(evidence.sentences.find(({ id }) => id === 'repair')?.text).toContain('Ana Ruiz')
    expect((await bundleOf(BAD_NIGHT, 'cedar')).text).toContain('Cedro S.A. (guest 301')
  })

  test('in which any byte is flipped is not ok', async () => {
    const { text } = await bundleOf(GOOD_NIGHT, 'acorn')
    const bytes = Buffer.from(text)
    expect(verdictOf(text)).toBe('ok')
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const flipped = Buffer.from(bytes)
        flipped[at] = (flipped[at] ?? 0) ^ mask
        // A byte that is no UTF-8 reads as the sign for that, in our reader as in every other.
        expect(verdictOf(flipped.toString('utf8'))).not.toBe('ok')
      }),
      { numRuns: 400 },
    )
  })

  test('of which whoever holds the key changes a sentence, a figure or a proof and signs it anew is not ok', async () => {
    const key = freshKey()
    const world = await worldOf(GOOD_NIGHT, CUSTOMERS, key)
    const text = (await world.desk.bundle(ID, customerId('acorn'))) ?? ''
    const signed = (change: (evidence: Evidence) => unknown) => {
      const { signature: _, ...changed } = change(JSON.parse(text)) as Evidence
      return canonicalJson({ ...changed, signature: key.sign(canonicalJson(changed)) })
    }
    expect(verdictOf(signed((evidence) => evidence))).toBe('ok')
    const lies: ((evidence: Evidence) => unknown)[] = [
      (one) => JSON.parse(JSON.stringify(one).replaceAll('62\u00a0ms', '12\u00a0ms')),
      (one) => JSON.parse(JSON.stringify(one).replaceAll('"value":62', '"value":12')),
      (one) => ({ ...one, sentences: one.sentences.slice(1) }),
      (one) => ({ ...one, sentences: one.sentences.toReversed() }),
      (one) => ({ ...one, entries: one.entries.slice(1) }),
      (one) => ({ ...one, samples: one.samples.slice(1) }),
      (one) => ({ ...one, customer: { ...one.customer, id: 'birch' } }),
      (one) => ({ ...one, maintenance: 'another' }),
      (one) => ({ ...one, head: { ...one.head, root: '0'.repeat(64) } }),
      (one) => ({ ...one, head: { ...one.head, day: '2026-01-01' } }),
      (one) => ({ ...one, keys: [] }),
      (one) => ({ ...one, entries: one.entries.map((entry) => ({ ...entry, index: entry.index + 1 })) }),
      (one) => ({ ...one, entries: [...one.entries, one.entries[0]] }),
    ]
    for (const lie of lies) expect(verdictOf(signed(lie)), lie.toString()).toBe('not ok')
  })
})

describe('a sample that is removed', () => {
  test('turns every sentence that rests on it into "not measured", never into 0 and never into "no impact"', async () => {
    for (const language of ['en', 'fr', 'es'] as const) {
      const customers = CUSTOMERS.map((customer) => ({ ...customer, language }))
      for (const night of [GOOD_NIGHT, BAD_NIGHT]) {
        for (const { id: customer } of customers) {
          const { evidence } = await bundleOf(night, customer, customers)
          for (const { id } of evidence.samples) {
            const without = { ...evidence, samples: evidence.samples.filter((sample) => sample.id !== id) }
            const carried = carriedSentences(without)
            for (const [index, sentence] of evidence.sentences.entries()) {
              const text = carried[index]?.text ?? ''
              if (!sentence.rests.samples.includes(id)) expect(text).toBe(sentence.text)
              else {
                expect(text).toBe(sentence.unmeasured)
                expect(text).toMatch(/not measured|measured nothing|Nobody measured|n’a|mesur|medi|midi/i)
                expect(text).not.toMatch(/\d|no impact|sans impact|sin impacto/i)
              }
            }
            expect(verdictOf(canonicalJson(without))).toBe('not ok')
          }
        }
      }
    }
  })
})

describe('over random fleets', () => {
  const anyName = fc
    .tuple(
      fc.constantFrom('Acorn', '<b>Birch</b>', "O'Cedar & Søn", 'Quercus "Q"', '楓'),
      fc.integer({ min: 1000, max: 9999 }),
    )
    .map(([word, number]) => `${word} ${number}`)
  const anyFleet = fc.uniqueArray(anyName, { minLength: 2, maxLength: 5 }).chain((names) =>
    fc.record({
      names: fc.constant(names),
      languages: fc.array(fc.constantFrom('en' as const, 'fr' as const, 'es' as const), { minLength: 5, maxLength: 5 }),
      counts: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 5, maxLength: 5 }),
      draws: fc.array(fc.tuple(fc.nat(5), fc.nat(19), fc.nat(19), fc.integer({ min: 1, max: 4000 })), {
        maxLength: 30,
      }),
    }),
  )

  function fleetOf({ names, languages, counts, draws }: ReturnType<typeof generated>) {
    const customers = names.map((name, index): Customer => {
      const mail = `m${index}q@example.net`
      return { id: customerId(`pool-${index}q${index}`), name, language: languages[index] ?? 'en', mail }
    })
    const guests = customers.flatMap(({ id }, index) =>
      Array.from({ length: counts[index] ?? 1 }, (_, number) => ({
        vmid: vmid(700_000_000 + 10_000 * index + 37 * number),
        name: `${id}-guest-${number}`,
        kind: 'vm' as const,
        node: nodeName('pve3'),
        status: 'running' as const,
        customer: id,
      })),
    )
    const guestAt = (draw: number): Vmid => guests[draw % guests.length]?.vmid as Vmid
    const ownerAt = (draw: number) => guests[draw % guests.length] as (typeof guests)[number]
    const events = draws.flatMap(([kind, a, b, ms], index): readonly Timed[] => {
      const minute = index
      const text = `${ownerAt(a).name} of ${names[b % names.length]} (guest ${guestAt(b)})`
      if (kind < 2) return move({ guest: guestAt(a), minute, home: b % 2 === 0, measured: { blackoutMs: ms } })
      if (kind === 2) return [[minute, { kind: 'pause-over-budget', guest: guestAt(a), blackoutMs: ms, budgetMs: 1 }]]
      if (kind === 3) return [[minute, { kind: 'said', text }]]
      if (kind === 4) {
        const answer = {
          order: 'wo-1' as never,
          by: 'Ana Ruiz',
          serial: 'S',
          outcome: 'repaired' as const,
          found: text,
          did: [text, 'cleaned'],
          photos: [],
        }
        return [[minute, { kind: 'work-order-answered', answer }]]
      }
      const { customer } = ownerAt(a)
      const read = guests.map((guest, at) =>
        at % 3 === b % 3
          ? reading(guest.vmid, ms % 5, ms)
          : ({ is: 'unmeasured', guest: guest.vmid, reason: text } as const),
      )
      return [[minute, { kind: 'probe-read', customer, readings: read }]]
    })
    const all: readonly Timed[] = [
      [0, { kind: 'maintenance-opened', node: nodeName('pve3'), finding: FINDING, requestedBy: 'olga' }],
      [0, { kind: 'origins-recorded', origins: guests }],
      ...events,
      [99, { kind: 'maintenance-ended', ending: 'done', text: `${names[0]} is home` }],
    ]
    return { customers, guests, events: all }
  }
  const generated = () =>
    fc.sample(anyFleet, 1)[0] as never as {
      names: string[]
      languages: Customer['language'][]
      counts: number[]
      draws: [number, number, number, number][]
    }

  test('customer A never sees anything of B: not in his bundle, not on his page, not in his mail; and his bundle is ok', async () => {
    await fc.assert(
      fc.asyncProperty(anyFleet, async (drawn) => {
        const { customers, guests, events } = fleetOf(drawn)
        const world = await worldOf(events, customers)
        const stories = customerStories(await world.journal.read(ID), customers)
        for (const customer of customers) {
          const text = (await world.desk.bundle(ID, customer.id)) ?? ''
          expect(verifyEvidence(text, 'b', []).problems).toEqual([])
          const story = stories.find((one) => one.customer.id === customer.id)
          if (story === undefined) throw new Error('no story')
          const mail = customerMail(story, OPTIONS)
          const unescaped = (page: string) =>
            page
              .replaceAll('&lt;', '<')
              .replaceAll('&gt;', '>')
              .replaceAll('&quot;', '"')
              .replaceAll('&#39;', "'")
              .replaceAll('&amp;', '&')
          const read = [
            text,
            JSON.stringify(JSON.parse(text)).replaceAll('\\"', '"'),
            unescaped(toHtml(reportOf(story, OPTIONS))),
            mail.subject,
            mail.text,
          ]
          const foreign = guests.filter((guest) => guest.customer !== customer.id)
          const others = customers.filter(({ id }) => id !== customer.id)
          const words = [
            ...others.flatMap(({ id, name, mail: to }) => [id, name, to ?? id]),
            ...foreign.flatMap((guest) => [guest.name, String(guest.vmid)]),
          ]
          for (const one of read) for (const word of words) expect(one).not.toContain(word)
        }
      }),
      { numRuns: 60 },
    )
  }, 120_000)
})

describe('roots that somebody kept', () => {
  const keptAt = async (world: Awaited<ReturnType<typeof worldOf>>) =>
    readRoots(JSON.stringify(await world.desk.roots()), 'kept.json')

  test('before, or after, are roots of the same journal; of another journal they are not', async () => {
    const world = await worldOf(GOOD_NIGHT)
    const early = await keptAt(world)
    const text = (await world.desk.bundle(ID, customerId('acorn'))) ?? ''
    expect(verifyEvidence(text, 'b', [early])).toMatchObject({ ok: true, problems: [] })
    for (let day = 1; day <= 12; day++) {
      world.at(START_MS + day * DAY)
      await world.other(`day ${day}`)
      await world.roots.keepDaily()
    }
    const late = await keptAt(world)
    expect(verifyEvidence(text, 'b', [early, late]).problems).toEqual([])
    const lateText = (await world.desk.bundle(ID, customerId('acorn'))) ?? ''
    expect(verifyEvidence(lateText, 'b', [early]).problems).toEqual([
      expect.stringContaining('give the roots published since'),
    ])
    expect(verifyEvidence(lateText, 'b', [early, late]).problems).toEqual([])
    const elsewhere = await keptAt(await worldOf(GOOD_NIGHT))
    expect(verifyEvidence(text, 'b', [elsewhere]).problems).toContainEqual(expect.stringContaining('another journal'))
  })

  test('show a journal that was written anew by the hoster himself, with his own key', async () => {
    const key = freshKey()
    const truth = await worldOf(BAD_NIGHT, CUSTOMERS, key)
    await truth.desk.bundle(ID, customerId('acorn'))
    const kept = await keptAt(truth)
    const forged = await worldOf(
      BAD_NIGHT.filter(([, event]) => event.kind !== 'pause-over-budget'),
      CUSTOMERS,
      key,
    )
    const text = (await forged.desk.bundle(ID, customerId('acorn'))) ?? ''
    expect(verifyEvidence(text, 'b', []).ok).toBe(true)
    expect(verifyEvidence(text, 'b', [kept]).problems).toContainEqual(expect.stringContaining('written anew'))
  })

  test('are signed once a day, also when nothing happened, and a key that names its successor goes on', async () => {
    const key = freshKey()
    const next = freshKey()
    const world = await worldOf(GOOD_NIGHT, CUSTOMERS, key)
    const first = await world.roots.keepDaily()
    expect(await world.roots.keepDaily()).toEqual(first)
    world.at(START_MS + DAY)
    expect((await world.roots.keepDaily()).number).toBe(first.number + 1)
    expect((await world.roots.headOver(1)).number).toBe(first.number + 1)
    const early = await keptAt(world)
    world.at(START_MS + 2 * DAY)
    await expect(world.rootsWith({ key: next }).keepDaily()).rejects.toThrow('is not the one that signs this journal')
    const roots = world.rootsWith({ key: next, oldKey: key })
    await roots.keepDaily()
    const desk = evidenceDesk({ journal: world.kept, roots, key: next, inventory: world.inventory })
    const text = (await desk.bundle(ID, customerId('birch'))) ?? ''
    expect(verifyEvidence(text, 'b', [early]).problems).toEqual([])
    expect((await desk.roots()).keys).toHaveLength(2)
  })

  test('are not signed any more once the journal was changed behind them', async () => {
    const world = await worldOf(GOOD_NIGHT)
    await world.desk.bundle(ID, customerId('acorn'))
    const rows = await world.kept.hashes(0)
    const key = freshKey()
    const store = memoryHeads()
    const parts = { key, store, clock: { nowMs: async () => START_MS, sleepUntil: async () => {} }, ...OPTIONS }
    await new JournalRoots({ ...parts, journal: { hashes: async (from) => rows.slice(from) } }).keepDaily()
    const changed = rows.with(3, '0'.repeat(64))
    const after = new JournalRoots({ ...parts, journal: { hashes: async (from) => changed.slice(from) } })
    await expect(after.keepDaily()).rejects.toThrow('it was changed')
  })
})
