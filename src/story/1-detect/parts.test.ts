import { describe, expect, test } from 'vitest'
import type { PartSignal, Signal } from '#domain/signal'
import { alarmRecord, newDetector, observeSignals, recordVerdict, takeUpDetector } from './decide.ts'
import { plainName } from './part-name.ts'
import { slopePerHour } from './risk.ts'
import { DAY, FANS, HOUR, MINUTE, SECOND, START_MS, seedStory, TraceBuilder } from './traces/build-trace.ts'

const END_MS = START_MS + 60 * DAY
const observed = (signals: readonly Signal[]) => observeSignals(newDetector(), signals, END_MS)
const outline = (signals: readonly Signal[]) =>
  observed(signals).findings.map(({ part, level, class: kind }) => `${part} ${level} ${kind}`)

const ordered = (signals: readonly Signal[]) => [...signals].sort((a, b) => a.receivedAtMs - b.receivedAtMs)

describe('every kind of part', () => {
  test('corrected errors that a counter shows again and again are found, a counter that stands is not', () => {
    const counted = (values: readonly number[]) =>
      values.map((value, index): Signal => {
        const atMs = START_MS + index * 4 * HOUR
        const [poll] = new TraceBuilder().poll(atMs, 'DIMM_A1', 'ok', 'memory').build()
        return { ...(poll as PartSignal), value, unit: 'errors' }
      })
    expect(outline(counted([7, 7, 7, 7, 7, 7, 7]))).toEqual([])
    expect(outline(counted([7, 8, 12, 13, 40]))).toContain('DIMM_A1 quarantine intermittent')
    expect(outline(counted([7, 900, 0, 0, 0]))).toEqual([])
  })

  test.each(['psu', 'disk', 'link'] as const)('a %s that drops out four times a day is found', (kind) => {
    const trace = new TraceBuilder()
    for (const hours of [3, 10, 14, 21, 27]) {
      trace.dropout({ atMs: START_MS + hours * HOUR, part: 'PART1', lastsMs: 30 * SECOND, kind })
    }
    expect(outline(trace.build())).toContain('PART1 drain-advised intermittent')
  })

  test('warnings alone are watched, however many', () => {
    const trace = new TraceBuilder()
    for (let hours = 0; hours < 40; hours += 2) {
      const atMs = START_MS + hours * HOUR
      trace.poll(atMs, 'Inlet', 'warning', 'temperature').poll(atMs + MINUTE, 'Inlet', 'ok', 'temperature')
    }
    expect(outline(trace.build())).toEqual(['Inlet watch intermittent'])
  })
})

describe('what a log does', () => {
  const onlyLog = (signal: Signal) => signal.is === 'part' && signal.recordId !== undefined

  test('a log of a day that is read at once tells of a day', () => {
    const readMs = START_MS + 40 * HOUR
    const late = seedStory()
      .build()
      .filter(onlyLog)
      .map((signal) => ({ ...signal, receivedAtMs: readMs }))
    const { findings } = observed(late)
    expect(findings).toMatchObject([
      { part: 'FAN3', level: 'drain-advised', episodes: 6, windowS: 31 * 3600, atMs: readMs },
    ])
  })

  test('a record that comes a day late finds its place', () => {
    const signals = seedStory().build().filter(onlyLog)
    const late = signals.map((signal, index) =>
      index >= 6 && index < 12 ? { ...signal, receivedAtMs: signal.receivedAtMs + DAY } : signal,
    )
    expect(outline(ordered(late))).toContain('FAN3 drain-advised intermittent')
  })

  test('ids that go round go on', () => {
    const signals = seedStory().build().filter(onlyLog) as readonly PartSignal[]
    const round = signals.map((signal) => ({ ...signal, recordId: (65_535 - 15 + (signal.recordId ?? 0)) % 65_536 }))
    expect(outline(round)).toEqual(outline(signals))
  })

  test('where only the deassert of a dropout came through, it was a dropout', () => {
    const lossy = seedStory()
      .build()
      .filter((signal) => signal.is === 'part' && (onlyLog(signal) ? signal.edge === 'deassert' : true))
    expect(outline(lossy)).toContain('FAN3 drain-advised intermittent')
  })

  test('three records of an edge of which the last deasserts are lost are no stop', () => {
    const lossy = new TraceBuilder()
      .dropout({ atMs: START_MS, part: 'FAN3', lastsMs: 10 * SECOND })
      .build()
      .filter((signal) => !(signal.is === 'part' && signal.edge === 'deassert' && signal.state !== 'warning'))
    expect(outline(lossy)).toEqual([])
  })
})

describe('bad input', () => {
  test('one part under two names is one part, said once', () => {
    const twice = seedStory()
      .build()
      .flatMap((signal): Signal[] => {
        if (signal.is !== 'part' || signal.part !== 'FAN3') return [signal]
        const { recordId: _, ...again } = signal
        return [signal, { ...again, part: 'Fan 3 RPM', source: 'redfish', receivedAtMs: signal.receivedAtMs + SECOND }]
      })
    const { state, findings } = observed(ordered(twice))
    expect(findings.map(({ part, class: kind }) => `${part} ${kind}`)).toEqual([
      'FAN3 intermittent',
      'FAN3 intermittent',
    ])
    expect(state.noticed['two-names']).toMatchObject({ count: 1, first: expect.stringContaining('Fan 3 RPM') })
  })

  test.each([
    ['FAN3', 'Fan 03'],
    ['System Board Fan3', 'Fan3'],
    ['FAN10', 'fan_10 Speed'],
    ['Fan FAN3', 'FAN3'],
  ])('%s and %s are one', (one, other) => {
    expect(plainName(one)).toBe(plainName(other))
  })

  test('FAN1 and FAN10 are two, and so are FAN2 and PSU2', () => {
    expect(plainName('FAN1')).not.toBe(plainName('FAN10'))
    expect(plainName('FAN2')).not.toBe(plainName('PSU2'))
  })

  test('a reading that comes a day late is left out and counted', () => {
    const [reading] = new TraceBuilder().poll(START_MS + HOUR, 'FAN1', 'non-recoverable').build()
    const { state, findings } = observed([...seedStory().build(), reading as Signal, reading as Signal])
    expect(findings.every(({ part }) => part === 'FAN3')).toBe(true)
    expect(state.noticed['stale-reading']?.count).toBe(2)
  })

  test('what nobody knows is no evidence, whatever it is called', () => {
    const trace = new TraceBuilder()
    for (let hours = 1; hours < 30; hours++) {
      trace.dropout({ atMs: START_MS + hours * HOUR, part: 'Watchdog2', lastsMs: 20 * SECOND, kind: 'other' })
      trace.dropout({ atMs: START_MS + hours * HOUR, part: '__proto__', lastsMs: 20 * SECOND })
    }
    const { state, findings } = observed(trace.build())
    expect(findings).toEqual([])
    expect(state.noticed['unknown-part']?.count).toBeGreaterThan(1)
  })
})

describe('the baseline', () => {
  test('where the model’s other fans glitch often, more is asked of each', () => {
    const quiet = seedStory().build()
    const noisy = [0, 1, 2, 3].flatMap((index) => {
      const trace = new TraceBuilder(`pve${index + 10}`)
      for (const [at, part] of FANS.entries()) {
        for (let day = 0; day < 30; day += 10) {
          const atMs = START_MS - 40 * DAY + day * DAY + (index * 6 + at) * HOUR
          trace.dropout({ atMs, part, lastsMs: 5 * SECOND })
        }
      }
      return trace.build()
    })
    const { findings } = observed(ordered([...noisy, ...quiet]))
    const first = findings.find(({ node }) => node === 'pve3')
    expect(first?.episodes).toBeGreaterThan(3)
    expect(first?.text).toMatch(/show 1 in \d+ days \(by \d+ days of them\)/)
  })
})

describe('waiting', () => {
  test('a slope is what least squares say, and nothing where too little was read', () => {
    const heat = Array.from({ length: 10 }, (_, index) => [START_MS + index * 2 * MINUTE, 24 + index * 0.2] as const)
    expect(slopePerHour(heat, START_MS + 18 * MINUTE)).toBeCloseTo(6, 5)
    expect(slopePerHour(heat.slice(0, 3), START_MS + 18 * MINUTE)).toBeUndefined()
  })

  test('a finding says how many fans are left and how soon it is too warm, and rises a level with the heat', () => {
    const story = seedStory()
    for (let minute = 0; minute < 40; minute += 2) {
      const [poll] = new TraceBuilder()
        .poll(START_MS + 14 * HOUR - 35 * MINUTE + minute * MINUTE, 'Inlet Temp', 'ok', 'temperature')
        .build()
      story.take({ ...(poll as PartSignal), value: 24 + minute * 0.1, unit: 'C' })
    }
    const [finding] = observed(story.build()).findings
    expect(finding).toMatchObject({
      level: 'drain-advised',
      risk: { fansLeft: 5, fansKnown: 6, warmerCPerH: 6, sensor: 'Inlet Temp' },
    })
    expect(finding?.text).toMatch(
      /5 of 6 known fans are sound; Inlet Temp rises 6 °C\/h, too warm in \d+ min \(limit assumed\)/,
    )
  })
})

describe('what technicians find', () => {
  test('false alarms are counted against the life of all parts, and join what healthy parts do', () => {
    const { state } = observed(seedStory().build())
    expect(alarmRecord(state)).toMatchObject({ findings: 2, falseAlarmsPer100PartYears: 'unknown' })
    const node = 'pve3' as Parameters<typeof recordVerdict>[2] extends { node: infer N } | undefined ? N : never
    const told = recordVerdict(state, 'nothing-found', { node, part: 'FAN3' })
    const { falseAlarmsPer100PartYears, partYears } = alarmRecord(told)
    expect(partYears).toBeCloseTo((6 * 34) / 24 / 365, 2)
    expect(falseAlarmsPer100PartYears).toBeCloseTo(100 / partYears, 5)
    expect(told.exposures.fan?.episodes).toBe(6)
  })

  test('a state of an older version keeps its verdicts', () => {
    const old = { format: 'coulisse/detector@1', verdicts: { real: 3, nothingFound: 1 }, nodes: {} }
    const state = takeUpDetector(old as unknown as Parameters<typeof takeUpDetector>[0])
    expect(state.verdicts).toEqual({ real: 3, nothingFound: 1 })
    expect(takeUpDetector(state)).toBe(state)
  })
})
