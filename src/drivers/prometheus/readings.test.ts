import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { readMatrix, type Series } from './answers.ts'
import { newReadingMemory, type ReadingMemory, readingEdges } from './reading-edges.ts'
import { readSeries } from './readings.ts'
import { recordedPlacing as placing, recorded } from './testing.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 16)
const MINUTE = 60_000

function seriesIn(name: string): readonly Series[] {
  const answer = readMatrix(200, recorded(name))
  if (answer.is !== 'data') throw new Error(answer.text)
  return answer.data
}

const edgesOf = (series: readonly Series[], memory: ReadingMemory = newReadingMemory()) =>
  readingEdges(memory, readSeries(series, placing), NOW_MS)

const told = (series: readonly Series[], memory?: ReadingMemory) =>
  edgesOf(series, memory).signals.map((signal) =>
    signal.is === 'bmc'
      ? `${signal.node} ${signal.event}`
      : `${signal.part} ${signal.edge ?? ''} ${signal.state}`.replace('  ', ' '),
  )

/** A minute between samples, the last one at NOW. */
function line(labels: Record<string, string>, ...values: readonly number[]): Series {
  const samples = values.map((value, index) => ({ atMs: NOW_MS - (values.length - 1 - index) * MINUTE, value }))
  return { labels: { job: 'node', instance: 'pve3:9100', ...labels }, samples }
}

test('a real chain: two dropouts between two looks of ours are two, with the speed that was measured', () => {
  const { signals } = edgesOf(seriesIn('ipmi-fan-flaps.json'))
  const states = signals.map((signal) => (signal.is === 'part' ? signal.state : signal.event))
  expect(states).toEqual(['critical', 'ok', 'critical', 'ok'])
  expect(signals[0]).toMatchObject({
    node: 'pve3',
    source: 'poll',
    part: 'FAN3',
    kind: 'fan',
    edge: null,
    value: 0,
    unit: 'RPM',
    receivedAtMs: NOW_MS,
  })
})

test('windows that overlap tell each scrape once; what is still bad is told once a round', () => {
  const first = edgesOf(seriesIn('ipmi-fan-flaps.json'))
  expect(told(seriesIn('ipmi-fan-flaps.json'), first.memory)).toEqual([])
  const stopped = edgesOf(seriesIn('ipmi-fan-stopped.json'), first.memory)
  expect(stopped.memory.bad).toEqual({ 'pve3/FAN3': 'critical' })
  expect(stopped.signals.at(-1)).toMatchObject({ part: 'FAN3', state: 'critical' })
})

test('a series that is gone is not good: what was bad stays so, and nothing is said', () => {
  const { memory } = edgesOf(seriesIn('ipmi-fan-stopped.json'))
  const silent = edgesOf(seriesIn('ipmi-bmc-silent.json'), memory)
  expect(silent.signals).toEqual([])
  expect(silent.memory.bad).toEqual(memory.bad)
})

test('not applicable, infinite or no number at all is no reading', () => {
  const fan = { __name__: 'ipmi_fan_speed_state', name: 'FAN3' }
  expect(told([line(fan, Number.NaN, Number.POSITIVE_INFINITY, 3, Number.NaN)])).toEqual([])
  expect(told([line(fan, 2, Number.NaN)])).toEqual(['FAN3 critical'])
})

test('the fans of a machine that is switched off did not drop out', () => {
  const power = line({ __name__: 'ipmi_chassis_power_state' }, 1, 0, 0)
  const fan = line({ __name__: 'ipmi_fan_speed_state', name: 'FAN3' }, 0, 2, 2)
  expect(told([power, fan])).toEqual([])
  expect(told([fan])).toEqual(['FAN3 critical', 'FAN3 critical'])
})

test('sensors that the exporter cannot read are a silent BMC, told once, and once when it answers again', () => {
  const up = (...values: number[]) => [line({ __name__: 'ipmi_up', collector: 'ipmi' }, ...values)]
  expect(told(up(1, 1))).toEqual([])
  const { memory } = edgesOf(up(1, 0, 0))
  expect(told(up(1, 0, 0))).toEqual(['pve3 unreachable'])
  expect(told([line({ __name__: 'ipmi_up', collector: 'ipmi' }, 1)].map(later), memory)).toEqual(['pve3 reachable'])
})

const later = ({ labels, samples }: Series): Series => ({
  labels,
  samples: samples.map(({ atMs, value }) => ({ atMs: atMs + MINUTE, value })),
})

test('a link is bad when it was up before; an unused port never was', () => {
  const carrier = (device: string, ...values: number[]) => line({ __name__: 'node_network_carrier', device }, ...values)
  expect(told([carrier('enp1s0f0', 1, 0, 1), carrier('enp1s0f1', 0, 0, 0)])).toEqual([
    'enp1s0f0 critical',
    'enp1s0f0 ok',
  ])
  const speed = (...values: number[]) => line({ __name__: 'node_network_speed_bytes', device: 'enp1s0f0' }, ...values)
  expect(told([speed(1.25e9, -1, 1.25e8, 1.25e9)])).toEqual(['enp1s0f0 speed warning', 'enp1s0f0 speed ok'])
})

test('a counter that grows is a moment; one that began anew is none', () => {
  const errors = (...values: number[]) =>
    line({ __name__: 'node_edac_uncorrectable_errors_total', controller: '0' }, ...values)
  expect(told([errors(3, 3, 4, 0, 1)])).toEqual([
    'memory controller 0 assert critical',
    'memory controller 0 deassert critical',
    'memory controller 0 assert critical',
    'memory controller 0 deassert critical',
  ])
  expect(told([errors(7)])).toEqual([])
  expect(told([errors(7, 0)])).toEqual([])
})

test('an OSD stands where its metadata say, not where the manager answers', () => {
  const of = (name: string, more: Record<string, string>, ...values: number[]) =>
    line({ __name__: name, ceph_daemon: 'osd.4', instance: 'pve1:9283', job: 'ceph', ...more }, ...values)
  const [signal] = edgesOf([of('ceph_osd_up', {}, 1, 0), of('ceph_osd_metadata', { hostname: 'pve3' }, 1, 1)]).signals
  expect(signal).toMatchObject({ node: 'pve3', part: 'osd.4', kind: 'disk', state: 'warning' })
  expect(told([of('ceph_osd_up', {}, 1, 0)])).toEqual([])
})

test('a Prometheus whose clock was set back is heard again', () => {
  const fan = { __name__: 'ipmi_fan_speed_state', name: 'FAN3' }
  const ahead = line(fan, 0, 0)
  const { memory } = edgesOf([
    { ...ahead, samples: ahead.samples.map(({ atMs, value }) => ({ atMs: atMs + 60 * MINUTE, value })) },
  ])
  expect(told([line(fan, 0, 2)], memory)).toEqual(['FAN3 critical'])
})

test('targets of nobody are named', () => {
  const stranger = line({ __name__: 'ipmi_fan_speed_state', name: 'FAN1', instance: '10.9.9.9' }, 2)
  const { strangers, readings } = readSeries([stranger], placing)
  expect([strangers, readings]).toEqual([['10.9.9.9'], []])
})

test('however scrapes are cut into overlapping windows, each dropout is told once', () => {
  const values = fc.array(fc.constantFrom(0, 0, 2, Number.NaN), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 6 }), (all, step, overlap) => {
      const whole = line({ __name__: 'ipmi_fan_speed_state', name: 'FAN3' }, ...all)
      let memory = newReadingMemory()
      const seen: string[] = []
      for (let to = step; to < all.length + step; to += step) {
        const window = { ...whole, samples: whole.samples.slice(Math.max(0, to - step - overlap), to) }
        const edges = edgesOf([window], memory)
        memory = JSON.parse(JSON.stringify(edges.memory)) as ReadingMemory
        seen.push(...edges.signals.map((signal) => (signal.is === 'part' ? signal.state : '')))
      }
      const changes = (states: readonly string[]) => states.filter((state, index) => state !== states[index - 1])
      const truth = changes(
        all.filter((value) => !Number.isNaN(value)).map((value) => (value === 2 ? 'critical' : 'ok')),
      )
      expect(changes(seen)).toEqual(truth[0] === 'ok' ? truth.slice(1) : truth)
    }),
  )
})

test('no series whatever makes it fail', () => {
  const names = fc.constantFrom(
    'ipmi_fan_speed_state',
    'ipmi_up',
    'node_network_carrier',
    'ceph_osd_up',
    'ceph_osd_metadata',
    '__proto__',
  )
  const series = fc.record({
    labels: fc
      .tuple(
        names,
        fc.dictionary(fc.constantFrom('instance', 'name', 'device', 'node', 'collector', 'ceph_daemon'), fc.string()),
      )
      .map(([name, labels]) => ({ ...labels, __name__: name, node: nodeName('pve3') as string })),
    samples: fc.array(fc.record({ atMs: fc.integer(), value: fc.double() }), { maxLength: 5 }),
  })
  fc.assert(
    fc.property(fc.array(series, { maxLength: 8 }), (all) => {
      expect(edgesOf(all).signals.every(({ node }) => placing.nodes.includes(node))).toBe(true)
    }),
  )
})
