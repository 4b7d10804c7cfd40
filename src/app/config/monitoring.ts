/** The keys of what knows of many nodes at once: Prometheus, Alertmanager, NetBox. */
import { z } from 'zod'
import { secretSchema } from './secret-schema.ts'

const isPattern = (text: string) => {
  try {
    new RegExp(text)
    return true
  } catch {
    return false
  }
}

/** Whom and what a label names. Absent: the usual names, and the addresses of the BMCs. */
export const monitoringLabelsSchema = z
  .object({
    node: z.array(z.string().min(1)).min(1).optional(),
    part: z.array(z.string().min(1)).min(1).optional(),
    rules: z
      .array(
        z.object({ match: z.string().refine(isPattern, 'no regular expression'), node: z.string().min(1) }).strict(),
      )
      .default([]),
  })
  .strict()

/** `fingerprint256` pins one certificate; `ca` names the authority; neither: those of the system. */
const trust = { fingerprint256: z.string().optional(), ca: secretSchema.optional() }

export const prometheusSchema = z
  .object({
    url: z.url(),
    user: z.string().min(1).optional(),
    password: secretSchema.optional(),
    token: secretSchema.optional(),
    ...trust,
  })
  .strict()
  .refine(({ user, password }) => (user === undefined) === (password === undefined), 'user and password come together')
  .refine(({ user, token }) => user === undefined || token === undefined, 'a user or a token, not both')

export const alertmanagerSchema = z
  .object({
    /** What Alertmanager sends as `Authorization: Bearer …`. */
    secret: secretSchema.optional(),
    /** A TLS listener of its own, that answers nothing else. Absent: the API takes alerts too. */
    listen: z
      .object({
        at: z.string().regex(/^[\w.:[\]-]+:\d+$/, 'host:port'),
        cert: secretSchema,
        key: secretSchema,
        /** Who sends must show a certificate of this authority (mTLS). */
        clientCa: secretSchema.optional(),
      })
      .strict()
      .optional(),
  })
  .strict()
  .refine(
    ({ secret, listen }) => secret !== undefined || listen?.clientCa !== undefined,
    'a secret or listen.clientCa is needed: else anybody could make findings',
  )

export const netboxSchema = z
  .object({
    url: z.url(),
    /** 'nbt_KEY.TOKEN' (from NetBox 4.5) or the 40 letters of an older one. */
    token: secretSchema,
    /** What NetBox calls a node, where that is not its name. */
    names: z.record(z.string(), z.string().min(1)).default({}),
    ...trust,
  })
  .strict()
