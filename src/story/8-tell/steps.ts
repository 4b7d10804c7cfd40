/** Stage 8: every customer is told what was done for him, with what was measured and what was not. */
import type { Customer, Stake } from '#domain/customer'
import { DriverError } from '#domain/driver-error'
import type { Origin } from '#domain/event'
import type { CustomerId } from '#domain/ids'
import type { Ending } from '#domain/maintenance'
import type { ProbeReading } from '#domain/measurement'
import { notify } from '../notify.ts'
import { perform } from '../perform.ts'
import { look, note, type Story } from '../story.ts'
import { storyAsTold } from './decide.ts'
import { toHtml } from './document/to-html.ts'
import { customerMail } from './mail.ts'
import { reportOf } from './report.ts'

/** Probes are read from this long before the first move, so that there is something to compare with. */
const BEFORE_MS = 10 * 60_000

export async function tellCustomers(story: Story, drainBeganMs: number, ending: Ending): Promise<void> {
  const stakes = await findStakes(story, story.heard.origins)
  const toMs = await story.saga.nowMs()
  const span = { fromMs: drainBeganMs - BEFORE_MS, toMs, during: { fromMs: drainBeganMs, toMs } }
  for (const stake of stakes) await orSaid(story, stake, () => measureOne(story, stake, span))
  const customers = stakes.map((stake) => stake.customer)
  for (const stake of stakes) {
    await orSaid(story, stake, () => tellOne(story, { customer: stake.customer, customers, ending }))
  }
}

type Span = { readonly fromMs: number; readonly toMs: number; readonly during: Omit<Span, 'during'> }

async function measureOne(story: Story, stake: Stake, span: Span): Promise<void> {
  const { id } = stake.customer
  const readings = await look(story, `what ${id}’s guests felt`, () => readProbe(story, stake, span))
  await note(story, { kind: 'probe-read', customer: id, readings })
}

/** One customer's trouble is not another's: what could not be told is said, to the operator too. */
async function orSaid(story: Story, { customer }: Stake, tell: () => Promise<void>): Promise<void> {
  try {
    await tell()
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const text = `customer ${customer.id} was not told all: ${error.message}`
    await note(story, { kind: 'said', text })
    await notify(story, { audience: 'operator', subject: `${story.input.node}: a customer was not told`, text })
  }
}

/** A prober that does not answer holds nobody's story up: what it would have said is unmeasured. */
async function readProbe({ ports }: Story, { guests }: Stake, span: Span): Promise<readonly ProbeReading[]> {
  try {
    return await ports.probe.read({ guests, ...span })
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return guests.map((guest) => ({ is: 'unmeasured', guest, reason: 'the prober did not answer' }))
  }
}

/** Customers with guests that were on the node; a guest without a customer is said. */
async function findStakes(story: Story, origins: readonly Origin[]): Promise<readonly Stake[]> {
  const byCustomer = new Map<CustomerId, Origin[]>()
  const nobodys: Origin[] = []
  for (const origin of origins) {
    if (origin.customer === undefined) nobodys.push(origin)
    else byCustomer.set(origin.customer, [...(byCustomer.get(origin.customer) ?? []), origin])
  }
  if (nobodys.length > 0) {
    const names = nobodys.map((origin) => origin.vmid).join(', ')
    const text = nobodys.length === 1 ? `guest ${names} has no customer` : `guests ${names} have no customer`
    await note(story, { kind: 'said', text: `${text}: nobody is told` })
  }
  const stakes: Stake[] = []
  for (const [id, guests] of byCustomer) {
    const customer = await findCustomer(story, id)
    stakes.push({ customer, guests: guests.map((origin) => origin.vmid) })
  }
  return stakes
}

/** Nobody who is known only by his id is left out: he has a page, and no mail. */
async function findCustomer(story: Story, id: CustomerId): Promise<Customer> {
  const unknown: Customer = { id, name: id, language: 'en' }
  try {
    return await look(story, `customer ${id}`, async () => (await story.ports.inventory.customer(id)) ?? unknown)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return unknown
  }
}

type Telling = {
  readonly customer: Customer
  /** All who are told: a technician's words about one of them are kept from the others. */
  readonly customers: readonly Customer[]
  readonly ending: Ending
}

async function tellOne(story: Story, { customer, customers, ending }: Telling): Promise<void> {
  const { journal, publisher, notifier, inventory } = story.ports
  const maintenance = story.input.id
  const options = { simulated: inventory.simulated, hoster: inventory.hoster }
  const written = async () => storyAsTold(await journal.read(maintenance), customers, { customer: customer.id, ending })
  await perform(story, {
    act: { kind: 'publish-report', customer: customer.id },
    run: async () => {
      const told = await written()
      if (told === undefined) return { is: 'failed', text: 'the journal has nothing about this customer' }
      const html = toHtml(reportOf(told, options))
      const path = await publisher.publish({ maintenance, customer: customer.id, html })
      return { is: 'done', text: path }
    },
  })
  const to = customer.mail
  if (to === undefined) return
  await perform(story, {
    act: { kind: 'notify', audience: 'customer', customer: customer.id, subject: `maintenance of ${story.input.node}` },
    run: async ({ key }) => {
      const told = await written()
      if (told === undefined) return { is: 'failed', text: 'the journal has nothing about this customer' }
      const mail = customerMail(told, options)
      await notifier.send({ key, to, ...mail })
      return { is: 'done' }
    },
  })
}
