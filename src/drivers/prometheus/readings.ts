/** From series to readings of parts: which series we read, and what each value means. Pure. README.md lists them with reasons. */
import type { NodeName } from '#domain/ids'
import type { PartKind, PartState } from '#domain/signal'
import type { Series } from './answers.ts'
import { kindOf, type Labels, nodeIn, type Placing } from './placing.ts'

/** One query each, for all nodes at once. Links: real interfaces only; a hypervisor has a tap for every guest. */
export const SELECTORS = [
  '{__name__=~"ipmi_(up|chassis_power_state|(fan_speed|temperature|sensor|power|voltage|current)_state|fan_speed_rpm|temperature_celsius)"}',
  '{__name__=~"node_hwmon_fan_(alarm|rpm)|node_edac_(un)?correctable_errors_total|smartmon_device_smart_healthy"}',
  '{__name__=~"node_network_(carrier|speed_bytes)",device=~"(en|eth|ib).+"}',
  '{__name__=~"ceph_osd_(up|metadata)"}',
] as const

export type Reading = {
  readonly node: NodeName
  readonly part: string
  readonly kind: PartKind
  /** When it was scraped, by Prometheus' clock. */
  readonly atMs: number
  /** What was scraped in one go: all of it is seen, or nothing. */
  readonly target: string
  /** As the value says by itself, or a figure that means something beside the one before only. */
  readonly means:
    | { readonly is: 'state'; readonly state: PartState }
    /** Counts up; going down it began anew. */
    | { readonly is: 'errors'; readonly count: number; readonly state: Exclude<PartState, 'ok'> }
    /** Bad when it was up before: an unused port was never. */
    | { readonly is: 'up'; readonly isUp: boolean; readonly state: Exclude<PartState, 'ok'> }
    /** Bad when it was more before. */
    | { readonly is: 'speed'; readonly bytesPerSecond: number }
  readonly value?: number
  readonly unit?: string
}

/** Whether the sensors of a node were read at all, as the exporter says. */
export type Reach = {
  readonly node: NodeName
  readonly atMs: number
  readonly target: string
  readonly isReached: boolean
}

export type ReadSeries = {
  readonly readings: readonly Reading[]
  readonly reaches: readonly Reach[]
  /** Newest scrape of each target that is a node's. */
  readonly targets: ReadonlyMap<string, { readonly node: NodeName; readonly scrapesMs: readonly number[] }>
  /** Targets of which nobody knows whose they are. */
  readonly strangers: readonly string[]
}

type Meaning = (value: number) => Reading['means'] | undefined
type Family = {
  readonly kind: (labels: Labels) => PartKind
  readonly part: (labels: Labels) => string | undefined
  readonly means: Meaning
  /** The series that holds the figure behind the state, under the same labels. */
  readonly figure?: { readonly metric: string; readonly unit: string }
}

/** The exporter's 0, 1, 2 and NaN: nominal, warning, critical, and not applicable, which is no reading. */
const ipmiState: Meaning = (value) =>
  value === 0
    ? { is: 'state', state: 'ok' }
    : value === 1
      ? { is: 'state', state: 'warning' }
      : value === 2
        ? { is: 'state', state: 'critical' }
        : undefined

const flag =
  (bad: number): Meaning =>
  (value) =>
    value === bad
      ? { is: 'state', state: 'critical' }
      : value === 0 || value === 1
        ? { is: 'state', state: 'ok' }
        : undefined

const errors =
  (state: 'warning' | 'critical'): Meaning =>
  (count) =>
    Number.isFinite(count) && count >= 0 ? { is: 'errors', count, state } : undefined

const up =
  (state: 'warning' | 'critical'): Meaning =>
  (value) =>
    value === 0 || value === 1 ? { is: 'up', isUp: value === 1, state } : undefined

const named = ({ name }: Labels) => name
const ipmi = (kind: PartKind | 'by name', figure?: Family['figure']): Family => ({
  kind: ({ type, name }) => (kind === 'by name' ? kindOf([type, name]) : kind),
  part: named,
  means: ipmiState,
  ...(figure === undefined ? {} : { figure }),
})
const memory = (state: 'warning' | 'critical'): Family => ({
  kind: () => 'memory',
  part: ({ controller }) => (controller === undefined ? undefined : `memory controller ${controller}`),
  means: errors(state),
})

const FAMILIES: Readonly<Record<string, Family>> = {
  ipmi_fan_speed_state: ipmi('fan', { metric: 'ipmi_fan_speed_rpm', unit: 'RPM' }),
  ipmi_temperature_state: ipmi('temperature', { metric: 'ipmi_temperature_celsius', unit: 'degrees C' }),
  ipmi_sensor_state: ipmi('by name'),
  ipmi_power_state: ipmi('by name'),
  ipmi_voltage_state: ipmi('other'),
  ipmi_current_state: ipmi('other'),
  node_hwmon_fan_alarm: {
    kind: () => 'fan',
    part: ({ chip, sensor }) => (sensor === undefined ? undefined : `${chip ?? 'hwmon'} ${sensor}`),
    means: flag(1),
    figure: { metric: 'node_hwmon_fan_rpm', unit: 'RPM' },
  },
  node_edac_uncorrectable_errors_total: memory('critical'),
  node_edac_correctable_errors_total: memory('warning'),
  smartmon_device_smart_healthy: { kind: () => 'disk', part: ({ disk, device }) => disk ?? device, means: flag(0) },
  node_network_carrier: { kind: () => 'link', part: ({ device }) => device, means: up('critical') },
  node_network_speed_bytes: {
    kind: () => 'link',
    part: ({ device }) => (device === undefined ? undefined : `${device} speed`),
    // A link that is down says -1.
    means: (bytesPerSecond) =>
      Number.isFinite(bytesPerSecond) && bytesPerSecond > 0 ? { is: 'speed', bytesPerSecond } : undefined,
  },
  // An OSD that goes down says little about its disk, and may be somebody's will: half a dropout.
  ceph_osd_up: { kind: () => 'disk', part: ({ ceph_daemon: daemon }) => daemon, means: up('warning') },
}

/** Read in their order of time. What cannot be placed, or is no number, is left out: unmeasured, never good. */
export function readSeries(series: readonly Series[], placing: Placing): ReadSeries {
  const hosts = hostsOfOsds(series)
  const targets = new Map<string, { node: NodeName; scrapesMs: number[] }>()
  const strangers = new Set<string>()
  const placed = series.flatMap(({ labels, samples }) => {
    const isOfCeph = labels.__name__?.startsWith('ceph_') === true
    const host = hosts.get(labels.ceph_daemon ?? '')
    // Ceph's series come from a manager, which is not where the OSD is.
    const node = isOfCeph ? (host === undefined ? undefined : nodeIn({ node: host }, placing)) : nodeIn(labels, placing)
    const target = `${labels.job ?? ''} ${labels.instance ?? ''}`
    if (node === undefined && !isOfCeph) strangers.add(labels.instance ?? describe(labels))
    if (node === undefined) return []
    const known = targets.get(target)
    const scrapesMs = samples.map(({ atMs }) => atMs)
    if (known === undefined) targets.set(target, { node, scrapesMs })
    else if (scrapesMs.length > known.scrapesMs.length) known.scrapesMs = scrapesMs
    return [{ labels, samples, node, target }]
  })
  const figures = figuresIn(placed)
  const off = scrapesWithoutPower(placed)
  const readings = placed.flatMap((one) => readingsOf(one, figures, off))
  const reaches = placed.flatMap(reachesOf)
  return { readings: readings.sort((a, b) => a.atMs - b.atMs), reaches, targets, strangers: [...strangers] }
}

type Placed = Series & { readonly node: NodeName; readonly target: string }

const describe = (labels: Labels) => labels.__name__ ?? 'a series without a name'

function hostsOfOsds(series: readonly Series[]): ReadonlyMap<string, string> {
  const metadata = series.filter(({ labels }) => labels.__name__ === 'ceph_osd_metadata')
  return new Map(metadata.map(({ labels }) => [labels.ceph_daemon ?? '', labels.hostname ?? '']))
}

/** All labels but the metric's name. */
const subjectOf = (labels: Labels) =>
  Object.entries(labels)
    .filter(([name]) => name !== '__name__')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(',')

type Figures = ReadonlyMap<string, number>

function figuresIn(placed: readonly Placed[]): Figures {
  const metrics = new Set(
    Object.values(FAMILIES).flatMap(({ figure }) => (figure === undefined ? [] : [figure.metric])),
  )
  const figures = new Map<string, number>()
  for (const { labels, samples } of placed) {
    if (!metrics.has(labels.__name__ ?? '')) continue
    const subject = `${labels.__name__} ${subjectOf(labels)}`
    for (const { atMs, value } of samples) if (Number.isFinite(value)) figures.set(`${subject} ${atMs}`, value)
  }
  return figures
}

/** While a machine is switched off its sensors measure nothing: fans at rest are no dropout. */
function scrapesWithoutPower(placed: readonly Placed[]): ReadonlySet<string> {
  const power = placed.filter(({ labels }) => labels.__name__ === 'ipmi_chassis_power_state')
  return new Set(
    power.flatMap(({ samples, target }) =>
      samples.filter(({ value }) => value === 0).map(({ atMs }) => `${target} ${atMs}`),
    ),
  )
}

function readingsOf(
  { labels, samples, node, target }: Placed,
  figures: Figures,
  off: ReadonlySet<string>,
): readonly Reading[] {
  const name = labels.__name__ ?? ''
  const family = Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined
  const part = family?.part(labels)
  if (family === undefined || part === undefined || part === '') return []
  const kind = family.kind(labels)
  const { figure } = family
  const subject = figure === undefined ? '' : `${figure.metric} ${subjectOf(labels)}`
  return samples.flatMap(({ atMs, value }) => {
    const means = family.means(value)
    if (means === undefined || off.has(`${target} ${atMs}`)) return []
    const measured = figure === undefined ? undefined : figures.get(`${subject} ${atMs}`)
    const more = measured === undefined || figure === undefined ? {} : { value: measured, unit: figure.unit }
    return [{ node, part, kind, atMs, target, means, ...more }]
  })
}

function reachesOf({ labels, samples, node, target }: Placed): readonly Reach[] {
  if (labels.__name__ !== 'ipmi_up' || labels.collector !== 'ipmi') return []
  return samples.flatMap(({ atMs, value }) =>
    value === 0 || value === 1 ? [{ node, atMs, target, isReached: value === 1 }] : [],
  )
}
