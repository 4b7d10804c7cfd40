/** What the configuration says of customers: who they are, and whose guest is whose. */
import { z } from 'zod'
import { isTimeZone } from '#domain/customer'

export const customerSchema = z
  .object({
    name: z.string(),
    language: z.enum(['en', 'fr', 'es']).default('en'),
    mail: z.string().optional(),
    /** Of each guest in a month: 0.999. */
    promisedAvailability: z.number().gt(0).lt(1).optional(),
    timeZone: z.string().refine(isTimeZone, 'no time zone has this name; write it like Europe/Madrid').default('UTC'),
  })
  .strict()

/** Guest number to customer. */
export const guestListSchema = z.record(
  z.string().regex(/^[1-9]\d*$/, 'a guest’s number is wanted'),
  z.string().min(1, 'a customer is wanted'),
)

const prefixSchema = z.string().min(1, 'what stands before the customer’s name')

export const customersFromSchema = z.union([
  /** A guest is theirs by the first part of its pool: acorn/web. */
  z.literal('pool'),
  /** By a tag that begins so: `customer-acorn`. Whoever may edit a guest may edit its tags. */
  z.object({ tag: prefixSchema }).strict(),
  /** By a line of the guest's notes that begins so: `Customer: acorn`. */
  z.object({ notes: prefixSchema }).strict(),
  z.object({ guests: guestListSchema }).strict(),
  /** A YAML file of the same, beside the configuration. */
  z.object({ guestsFile: z.string().min(1) }).strict(),
])

export type CustomersFrom = z.infer<typeof customersFromSchema>
