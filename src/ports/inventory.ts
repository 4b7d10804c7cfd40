/** What the configuration knows and no API tells: where a node stands, who it is, whose guests are whose. */
import type { Customer } from '#domain/customer'
import type { CustomerId, NodeName } from '#domain/ids'
import type { Place } from '#domain/maintenance'
import type { Known } from '#domain/measured'

export type Inventory = {
  place(node: NodeName): Promise<Place>
  /** The node's own DMI, against which its BMC is proven: never what the BMC itself said. */
  dmi(node: NodeName): Promise<{ readonly systemUuid: string; readonly serial: Known<string> }>
  customer(id: CustomerId): Promise<Customer | undefined>
  /** Whose pages these are. */
  readonly hoster: string
  /** The figures come from the lab: said wherever they are shown. */
  readonly simulated: boolean
  readonly operatorMail?: string
  readonly technicianMail?: string
}
