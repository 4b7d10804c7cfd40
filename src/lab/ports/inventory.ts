/** The Inventory port over the simulated world: racks, serials and customers as a configuration would name them. */
import type { Customer } from '#domain/customer'
import { DriverError } from '#domain/driver-error'
import type { CustomerId, NodeName } from '#domain/ids'
import type { LabWorld } from '#lab/world/lab-world'
import type { WorldNode } from '#lab/world/state'
import type { Inventory } from '#ports/inventory'

export const OPERATOR_MAIL = 'operator@hoster.example'
export const TECHNICIAN_MAIL = 'hands@hoster.example'

const LANGUAGES = ['en', 'fr', 'es'] as const

export function labInventory(lab: LabWorld): Inventory {
  const world = lab.state
  const nodeOf = (name: NodeName): WorldNode => {
    const node = world.nodes[name]
    if (!node) throw new DriverError('inventory', `look up ${name}`, { retry: 'never', text: 'it is not listed' })
    return node
  }
  return {
    place: async (name) => {
      const { site, room, rack, unit, serial } = nodeOf(name)
      return { site, room, rack, unit, serial }
    },
    dmi: async (name) => {
      const { systemUuid, serial } = nodeOf(name)
      return { systemUuid, serial }
    },
    customer: async (id) => customerOf(customersOf(lab), id),
    hoster: 'Coulisse Lab Hosting',
    simulated: true,
    operatorMail: OPERATOR_MAIL,
    technicianMail: TECHNICIAN_MAIL,
  }
}

/** In order of their names, so that their languages stay. */
export const customersOf = ({ state }: LabWorld): readonly CustomerId[] => {
  const ids = Object.values(state.guests).flatMap(({ customer }) => (customer === undefined ? [] : [customer]))
  return [...new Set(ids)].sort()
}

function customerOf(all: readonly CustomerId[], id: CustomerId): Customer | undefined {
  const at = all.indexOf(id)
  if (at < 0) return undefined
  const name = `${id.charAt(0).toUpperCase()}${id.slice(1)}`
  return { id, name, language: LANGUAGES[at % LANGUAGES.length] ?? 'en', mail: `it@${id}.example` }
}
