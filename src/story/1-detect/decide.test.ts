import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawAt } from '#domain/random'
import type { Signal } from '#domain/signal'
import { clearPart, newDetector, observeSignals, recordVerdict } from './decide.ts'
import { confidenceOf } from './judge.ts'
import type { DetectorState } from './state.ts'
import { DAY, FANS, HOUR, MINUTE, SECOND, START_MS, seedStory, TraceBuilder } from './traces/build-trace.ts'

const END_MS = START_MS + 60 * DAY

function findingsOf(signals: readonly Signal[], endMs = END_MS) {
  return observeSignals(newDetector(), signals, endMs).findings
}

const outline = (signals: readonly Signal[], endMs = END_MS) =>
  findingsOf(signals, endMs).map((finding) => `${finding.part} ${finding.level} ${finding.class}`)

describe('the seed story', () => {
  test('a fan that drops out for 30 s four times a day is quarantined within a day, then drain is advised', () => {
    const findings = findingsOf(seedStory().build())
    expect(findings.map(({ part, level, atMs }) => [part, level, (atMs - START_MS) / HOUR])).toEqual([
      ['FAN3', 'quarantine', 14],
      ['FAN3', 'drain-advised', 21],
    ])
    expect(findings[0]).toMatchObject({
      node: 'pve3',
      class: 'intermittent',
      episodes: 3,
      windowS: 11 * 3600,
      expectedFalseAlarmsPer100PartYears: 0.6,
    })
    expect(findings[1]?.expectedFalseAlarmsPer100PartYears).toBe(0.05)
    expect(findings[0]?.text).toBe(
      'FAN3 of pve3 dropped out: 3 episodes in 11 h, each about 30 s; fans of R740 show 1 in 60 days (assumed); this rule raises 1 false alarm in 167 fan-years (simulated); 5 of 6 known fans are sound',
    )
  })

  test('a BMC whose clock is ten years off, or jumps, changes nothing', () => {
    const right = outline(seedStory().build())
    expect(outline(seedStory(-10 * 365 * DAY).build())).toEqual(right)
    const jumping = seedStory()
      .build()
      .map((signal, index) => ({ ...signal, atMs: index % 2 ? 0 : signal.atMs }))
    expect(outline(jumping)).toEqual(right)
  })

  test('one dropout is no finding, and two in a month are none', () => {
    const trace = new TraceBuilder()
    trace.dropout({ atMs: START_MS, part: 'FAN3', lastsMs: 30 * SECOND })
    trace.dropout({ atMs: START_MS + 20 * DAY, part: 'FAN3', lastsMs: 30 * SECOND })
    expect(outline(trace.build())).toEqual([])
  })

  test('a burst of flaps within the debounce is one episode', () => {
    const trace = new TraceBuilder()
    for (let flap = 0; flap < 12; flap++) {
      trace.dropout({ atMs: START_MS + flap * 20 * SECOND, part: 'FAN3', lastsMs: 2 * SECOND })
    }
    expect(outline(trace.build())).toEqual([])
  })

  test('what polls and log both see is one episode, even where the log is read later', () => {
    const trace = new TraceBuilder()
    for (const hours of [0, 5]) {
      const atMs = START_MS + hours * HOUR
      trace.poll(atMs, 'FAN3', 'non-recoverable').poll(atMs + 30 * SECOND, 'FAN3', 'ok')
      trace.dropout({ atMs, part: 'FAN3', lastsMs: 25 * SECOND })
    }
    const late = trace
      .build()
      .map((signal) => ('recordId' in signal ? { ...signal, receivedAtMs: signal.receivedAtMs + 40 * MINUTE } : signal))
      .sort((a, b) => a.receivedAtMs - b.receivedAtMs)
    expect(outline(late)).toEqual([])
  })
})

describe('what a BMC does to its log', () => {
  test('a reset that replays the last records gives nothing', () => {
    const trace = new TraceBuilder()
    trace.dropout({ atMs: START_MS, part: 'FAN3', lastsMs: 30 * SECOND })
    for (const hours of [2, 5, 9, 12]) {
      trace.event(START_MS + hours * HOUR, 'reset').replay(START_MS + hours * HOUR + 90 * SECOND, 6)
    }
    expect(outline(trace.build())).toEqual([])
  })

  test('a reset during which every fan reads as lost gives nothing, however often', () => {
    const trace = new TraceBuilder()
    for (let round = 0; round < 6; round++) {
      const atMs = START_MS + round * 7 * HOUR
      for (const fan of FANS) trace.poll(atMs - 40 * SECOND, fan, 'non-recoverable')
      trace.event(atMs, 'reset')
      for (const fan of FANS) trace.dropout({ atMs: atMs + 50 * SECOND, part: fan, lastsMs: 30 * SECOND })
      for (const fan of FANS) trace.poll(atMs + 4 * MINUTE, fan, 'ok')
    }
    expect(outline(trace.build())).toEqual([])
  })

  test('a fan that is dead before and after a reset is still found', () => {
    const trace = new TraceBuilder()
    trace.event(START_MS, 'reset')
    for (let minute = 1; minute < 12; minute++) trace.poll(START_MS + minute * MINUTE, 'FAN2', 'non-recoverable')
    expect(outline(trace.build())).toEqual(['FAN2 drain-now hard'])
  })

  test('after log-cleared the ids begin again and are news', () => {
    const trace = new TraceBuilder()
    for (const hours of [0, 4, 8]) {
      trace.event(START_MS + hours * HOUR - MINUTE, 'log-cleared')
      trace.dropout({ atMs: START_MS + hours * HOUR, part: 'FAN3', lastsMs: 30 * SECOND })
    }
    expect(outline(trace.build())).toEqual(['FAN3 quarantine intermittent'])
  })

  test('an assert before a silence of the BMC proves nothing', () => {
    const trace = new TraceBuilder()
    trace.dropout({ atMs: START_MS, part: 'FAN3' }).event(START_MS + 10 * SECOND, 'unreachable')
    expect(outline(trace.build())).toEqual([])
  })
})

describe('the severity floor', () => {
  test('a single edge, three records, never floors', () => {
    const trace = new TraceBuilder().dropout({ atMs: START_MS, part: 'FAN3', lastsMs: 45 * SECOND })
    expect(outline(trace.build())).toEqual([])
  })

  test('non-recoverable without a deassert is drain-now after a minute, said when the log has had its time', () => {
    const trace = new TraceBuilder().dropout({ atMs: START_MS, part: 'FAN3' })
    const [finding] = findingsOf(trace.build())
    expect(finding).toMatchObject({ level: 'drain-now', class: 'hard', atMs: START_MS + MINUTE, part: 'FAN3' })
  })

  test('two polls are enough, one read twice is not', () => {
    const once = new TraceBuilder().poll(START_MS, 'FAN3', 'non-recoverable').poll(START_MS, 'FAN3', 'non-recoverable')
    expect(outline(once.build())).toEqual([])
    const twice = once.poll(START_MS + MINUTE, 'FAN3', 'non-recoverable')
    expect(outline(twice.build())).toEqual(['FAN3 drain-now hard'])
  })

  test('from a source that shows only what is bad, two readings hours apart are two dropouts and nothing that lasts', () => {
    const trace = new TraceBuilder()
    for (const hours of [0, 6, 13]) trace.poll(START_MS + hours * HOUR, 'FAN3', 'non-recoverable')
    expect(outline(trace.build())).toEqual(['FAN3 quarantine intermittent'])
  })

  test('a BMC that was silent is back when it shows a reading', () => {
    const trace = new TraceBuilder().event(START_MS, 'unreachable').poll(START_MS + HOUR, 'FAN1', 'ok')
    trace.dropout({ atMs: START_MS + HOUR + MINUTE, part: 'FAN3' })
    expect(outline(trace.build())).toEqual(['FAN3 drain-now hard'])
  })

  test.each([
    ['psu', 'absent', 'drain-now'],
    ['memory', 'critical', 'drain-now'],
    ['disk', 'critical', 'drain-advised'],
    ['link', 'absent', 'drain-advised'],
    ['temperature', 'non-recoverable', 'drain-now'],
  ] as const)('a %s that stays %s is found at once', (kind, state, level) => {
    const trace = new TraceBuilder()
    trace.poll(START_MS, 'PART1', state, kind).poll(START_MS + MINUTE, 'PART1', state, kind)
    expect(outline(trace.build())).toEqual([`PART1 ${level} hard`])
  })
})

describe('common cause', () => {
  const flapAll = (trace: TraceBuilder, atMs: number, value = 0) => {
    for (const [index, part] of FANS.entries()) {
      trace.dropout({ atMs: atMs + index * 5 * SECOND, part, lastsMs: 20 * SECOND, value })
    }
  }

  test('a bus that lets go is found at its second time, on the node and on no fan', () => {
    const trace = new TraceBuilder()
    for (const hours of [0, 5]) flapAll(trace, START_MS + hours * HOUR)
    expect(outline(trace.build())).toEqual(['node quarantine common-cause'])
    for (const hours of [9, 22, 30]) flapAll(trace, START_MS + hours * HOUR)
    expect(outline(trace.build())).toEqual(['node quarantine common-cause', 'node drain-advised common-cause'])
  })

  test('once is chance', () => {
    const trace = new TraceBuilder()
    flapAll(trace, START_MS)
    expect(outline(trace.build())).toEqual([])
  })

  test('quiet fans under a wrong threshold, all in an even rhythm, are watched and no more', () => {
    const trace = new TraceBuilder()
    for (let swing = 0; swing < 40; swing++) flapAll(trace, START_MS + swing * 11 * MINUTE + (swing % 3) * SECOND, 480)
    expect(outline(trace.build())).toEqual(['node watch threshold'])
  })

  test('quiet fans that stand under a wrong threshold for good are no reason to drain', () => {
    const trace = new TraceBuilder()
    for (const part of FANS) trace.dropout({ atMs: START_MS, part, value: 480 })
    for (let minute = 1; minute < 60; minute++) {
      for (const part of FANS) trace.poll(START_MS + minute * MINUTE, part, 'non-recoverable')
    }
    expect(outline(trace.build())).toEqual([])
  })

  test('all fans lost for good are drain-now, once, on the node', () => {
    const trace = new TraceBuilder()
    for (const part of FANS) trace.dropout({ atMs: START_MS, part })
    for (let minute = 1; minute < 60; minute++) {
      for (const part of FANS) trace.poll(START_MS + minute * MINUTE, part, 'non-recoverable')
    }
    expect(outline(trace.build())).toEqual(['node drain-now hard'])
  })

  test('a BMC that cannot read its fans now and then says nothing about them', () => {
    const trace = new TraceBuilder()
    for (const hours of [0, 3, 6, 9, 12, 15]) {
      for (const part of FANS) trace.poll(START_MS + hours * HOUR, part, 'unreadable')
      for (const part of FANS) trace.poll(START_MS + hours * HOUR + MINUTE, part, 'ok')
    }
    expect(outline(trace.build())).toEqual([])
  })

  test('fans that let go one after another are one event', () => {
    const trace = new TraceBuilder()
    for (const hours of [0, 5]) {
      for (const [index, part] of FANS.entries()) {
        const atMs = START_MS + hours * HOUR + index * 55 * SECOND
        trace.dropout({ atMs, part, lastsMs: 20 * SECOND })
      }
    }
    expect(outline(trace.build())).toEqual(['node quarantine common-cause'])
  })

  test('both supplies at once are one thing', () => {
    const trace = new TraceBuilder()
    for (const hours of [0, 7]) {
      for (const part of ['PSU1', 'PSU2']) {
        trace.dropout({ atMs: START_MS + hours * HOUR, part, lastsMs: 20 * SECOND, kind: 'psu' })
      }
    }
    expect(outline(trace.build())).toEqual(['node quarantine common-cause'])
  })
})

describe('whatever the order', () => {
  /** A week of two nodes with everything in it, from a seed. */
  function mixedWeek(seed: number): readonly Signal[] {
    const traces = ['pve1', 'pve3'].map((node) => {
      const trace = new TraceBuilder(node, seed % 2 ? -3 * HOUR : 0)
      let atMs = START_MS
      for (let draw = 0; draw < 14; draw++) {
        const pick = (name: string) => drawAt(seed, `${node} ${name}`, draw)
        atMs += 20 * MINUTE + pick('gap') * 12 * HOUR
        const kind = pick('kind')
        const part = FANS[Math.floor(pick('fan') * 2)] ?? 'FAN1'
        if (kind < 0.6) trace.dropout({ atMs, part, lastsMs: 5 * SECOND + pick('length') * 40 * SECOND })
        else if (kind < 0.75) for (const fan of FANS) trace.dropout({ atMs, part: fan, lastsMs: 20 * SECOND })
        else if (kind < 0.85) trace.event(atMs, 'reset').replay(atMs + MINUTE, 9)
        else if (kind < 0.92) trace.event(atMs, 'log-cleared')
        else trace.dropout({ atMs, part, lastsMs: 3 * MINUTE })
      }
      return trace.build()
    })
    return traces.flat().sort((a, b) => a.receivedAtMs - b.receivedAtMs)
  }

  const sorted = (findings: readonly unknown[]) => findings.map((finding) => JSON.stringify(finding)).sort()

  test('cut at any record and restarted from stored JSON, the findings are the same', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.array(fc.nat(400), { maxLength: 30 }), (seed, cuts) => {
        const signals = mixedWeek(seed)
        const whole = findingsOf(signals)
        let state: DetectorState = newDetector()
        const found: unknown[] = []
        const ends = [...new Set(cuts.map((cut) => cut % signals.length)), signals.length].sort((a, b) => a - b)
        let from = 0
        for (const end of ends) {
          const batch = signals.slice(from, end)
          const nowMs = end === signals.length ? END_MS : (signals[end - 1]?.receivedAtMs ?? START_MS)
          const observed = observeSignals(JSON.parse(JSON.stringify(state)) as DetectorState, batch, nowMs)
          found.push(...observed.findings)
          state = observed.state
          from = end
        }
        expect(sorted(found)).toEqual(sorted(whole))
      }),
      { numRuns: 300 },
    )
  })

  test('record by record gives what one batch gives', () => {
    const signals = mixedWeek(7)
    let state = newDetector()
    const found = signals.flatMap((signal) => {
      const observed = observeSignals(state, [signal], signal.receivedAtMs)
      state = observed.state
      return observed.findings
    })
    found.push(...observeSignals(state, [], END_MS).findings)
    expect(sorted(found)).toEqual(sorted(findingsOf(signals)))
  })

  test('records doubled and shuffled within a minute give the same levels', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (seed, shuffle) => {
        const signals = seed % 3 ? mixedWeek(seed) : seedStory().build()
        // Events of the BMC itself stay in place; what they mean depends on what came before.
        const shaken = signals
          .flatMap((signal, index): { signal: Signal; order: number }[] => {
            if (signal.is === 'bmc') return [{ signal, order: signal.receivedAtMs }]
            const order = signal.receivedAtMs + drawAt(shuffle, 'jitter', index) * 20 * SECOND
            const again = { signal, order: order + drawAt(shuffle, 'again', index) * 20 * SECOND }
            return drawAt(shuffle, 'twice', index) < 0.3 ? [{ signal, order }, again] : [{ signal, order }]
          })
          .sort((a, b) => a.order - b.order)
          .map(({ signal, order }) => ({ ...signal, receivedAtMs: Math.floor(order) }))
        const levels = (list: readonly Signal[]) =>
          findingsOf(list)
            .map(({ node, part, level }) => `${node} ${part} ${level}`)
            .sort()
        expect(levels(shaken)).toEqual(levels(signals))
      }),
      { numRuns: 300 },
    )
  })

  test('records shuffled within the debounce give the same levels', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(10_000), (seed, shuffle) => {
        const trace = new TraceBuilder('pve3')
        for (const fan of FANS) trace.poll(START_MS, fan, 'ok')
        for (let atMs = START_MS + HOUR, draw = 0; draw < 9; draw++) {
          trace.dropout({ atMs, part: 'FAN3', lastsMs: 5 * SECOND + drawAt(seed, 'length', draw) * 40 * SECOND })
          atMs += 25 * MINUTE + drawAt(seed, 'gap', draw) ** 3 * 40 * HOUR
        }
        const shaken = trace
          .build()
          .map((signal, index) => {
            const lateMs = Math.floor(drawAt(shuffle, 'late', index) * 4 * MINUTE)
            return { ...signal, receivedAtMs: signal.receivedAtMs + lateMs }
          })
          .sort((a, b) => a.receivedAtMs - b.receivedAtMs)
        expect(outline(shaken)).toEqual(outline(trace.build()))
      }),
      { numRuns: 300 },
    )
  })

  test('the given state is left as it was', () => {
    const before = observeSignals(newDetector(), seedStory().build().slice(0, 30), START_MS + 20 * HOUR).state
    const copy = JSON.stringify(before)
    observeSignals(before, seedStory().build(), END_MS)
    clearPart(before, seedStory().build()[0]?.node ?? ('pve3' as never), 'FAN3', END_MS)
    expect(JSON.stringify(before)).toBe(copy)
  })
})

describe('confidence', () => {
  const sure = (episodes: number, windowMs: number, nothingFound = 0) =>
    confidenceOf(episodes, windowMs, 1 / 60, { real: 0, nothingFound })

  test('grows with the episodes and falls with the time that they took', () => {
    const [once, slow, quick, more] = [sure(1, 0), sure(3, 2 * DAY), sure(3, DAY / 2), sure(5, DAY)]
    expect(once).toBeLessThan(0.01)
    expect(slow).toBeCloseTo(0.86, 2)
    expect(quick).toBeGreaterThan(slow ?? 1)
    expect(more).toBe(0.99)
  })
})

describe('the way back', () => {
  test('silence clears nothing; the repair does, and a new fault is found anew', () => {
    const story = seedStory().build()
    const { state } = observeSignals(newDetector(), story, END_MS)
    expect(observeSignals(state, [], END_MS + 365 * DAY).findings).toEqual([])
    const node = story[0]?.node ?? ('pve3' as never)
    const cleared = clearPart(state, node, 'FAN3', END_MS)
    expect(cleared.findings).toMatchObject([{ part: 'FAN3', level: 'drain-advised', cleared: true }])
    expect(clearPart(cleared.state, node, 'FAN3', END_MS).findings).toEqual([])
    const again = new TraceBuilder().event(END_MS + HOUR, 'log-cleared')
    again.dropout({ atMs: END_MS + 2 * HOUR, part: 'FAN3' })
    expect(observeSignals(cleared.state, again.build(), END_MS + DAY).findings).toMatchObject([{ level: 'drain-now' }])
  })

  test('what technicians found is counted', () => {
    const state = recordVerdict(recordVerdict(newDetector(), 'real'), 'nothing-found')
    expect(state.verdicts).toEqual({ real: 1, nothingFound: 1 })
  })

  test('an operator’s word is enough', () => {
    const [word] = new TraceBuilder().poll(START_MS, 'FAN3', 'critical').build()
    if (word?.is !== 'part') throw new Error('a poll is a signal of a part')
    expect(outline([{ ...word, source: 'operator' }])).toEqual(['FAN3 drain-advised operator'])
  })
})
