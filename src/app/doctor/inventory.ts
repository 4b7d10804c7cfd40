/** The cluster beside what the configuration knows of it. Pure. */
import type { Check } from '#domain/check'
import type { ClusterObservation } from '#domain/cluster'
import type { Config } from '../config/schema.ts'

const PLACE = ['site', 'room', 'rack', 'unit'] as const
const NAMES_SHOWN_LIMIT = 8

export function examineInventory(config: Config, cluster: ClusterObservation): readonly Check[] {
  const found = [...nodeChecks(config, cluster), ...placeChecks(config), ...customerChecks(config, cluster)]
  if (found.some(({ outcome }) => outcome !== 'fine')) return found
  const text = `all ${cluster.nodes.length} nodes are known, with serial, place and BMC`
  return [{ area: 'inventory', subject: cluster.name, outcome: 'fine', text }, ...found]
}

function nodeChecks(config: Config, cluster: ClusterObservation): readonly Check[] {
  const names = new Set<string>(cluster.nodes.map(({ name }) => name))
  const unknown = [...names].filter((name) => config.nodes[name] === undefined)
  const gone = Object.keys(config.nodes).filter((name) => !names.has(name))
  return [
    ...unknown.map(
      (name): Check => ({
        area: 'inventory',
        subject: name,
        outcome: 'missing',
        text: 'is in the cluster and not under nodes: its BMC is not watched, and no maintenance of it can begin',
        stages: ['detect', 'isolate', 'repair', 'verify'],
        mend: `add it under nodes; on ${name}: dmidecode -s system-serial-number; dmidecode -s system-uuid`,
      }),
    ),
    ...gone.map(
      (name): Check => ({
        area: 'inventory',
        subject: name,
        outcome: 'missing',
        text: `is under nodes, and cluster ${cluster.name} has no such node`,
        mend: `its name is one of ${shown([...names])}, or take it out`,
      }),
    ),
    ...(config.cluster === cluster.name ? [] : [otherCluster(config, cluster)]),
  ]
}

const otherCluster = (config: Config, cluster: ClusterObservation): Check => ({
  area: 'inventory',
  subject: config.cluster,
  outcome: 'dangerous',
  text: `the configuration is for ${config.cluster}, and the cluster that answers is ${cluster.name}`,
  mend: `cluster: ${cluster.name}, if that is the one you mean`,
})

/** Where hands are sent to. */
function placeChecks(config: Config): readonly Check[] {
  // NetBox may know the rest: its own check says what nobody knows.
  if (config.netbox !== undefined) return []
  return Object.entries(config.nodes).flatMap(([name, node]): readonly Check[] => {
    const absent = PLACE.filter((key) => node[key] === 'unknown')
    if (absent.length === 0) return []
    const text = `nobody wrote down its ${absent.join(', ')}: the technician has only the serial to go by`
    const mend = `nodes.${name}: { ${absent.map((key) => `${key}: …`).join(', ')} }`
    return [{ area: 'inventory', subject: name, outcome: 'missing', text, stages: ['repair'], mend }]
  })
}

/** Whose guests nobody is told about: by pool, once for each. */
function customerChecks(config: Config, cluster: ClusterObservation): readonly Check[] {
  const told = cluster.guests.flatMap(({ customer }) => (customer === undefined ? [] : [customer as string]))
  const unknown = [...new Set(told)].filter((id) => config.customers[id] === undefined)
  if (unknown.length === 0) return []
  return [
    {
      area: 'inventory',
      subject: 'customers',
      outcome: 'missing',
      text: `no customer is written down for the pools ${shown(unknown)}: their pages have no name, and no mail goes out`,
      stages: ['tell'],
      mend: `customers: { ${unknown[0]}: { name: …, language: en, mail: … } }`,
    },
  ]
}

const shown = (names: readonly string[]) =>
  names.length <= NAMES_SHOWN_LIMIT
    ? names.join(', ')
    : `${names.slice(0, NAMES_SHOWN_LIMIT).join(', ')} and ${names.length - NAMES_SHOWN_LIMIT} more`
