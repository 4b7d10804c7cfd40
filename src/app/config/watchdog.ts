/** What the watchdog is told: whom it shouts to, how often, and whether it may release an expired lease. */
import { z } from 'zod'
import { secretSchema } from './secret-schema.ts'

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost):\d+$/

export const watchdogSchema = z
  .object({
    /** Absent: operatorMail. */
    mail: z.string().min(1).optional(),
    webhook: z
      .object({
        url: z.union([z.url({ protocol: /^https?$/ }), secretSchema]),
        token: secretSchema.optional(),
        fingerprint256: z.string().optional(),
        ca: secretSchema.optional(),
      })
      .strict()
      .optional(),
    metrics: z
      .object({
        /** For node_exporter's textfile collector: a name that ends in .prom. */
        textfile: z.string().endsWith('.prom', 'a file whose name ends in .prom').optional(),
        listen: z.string().regex(LOOPBACK, 'HOST:PORT of this machine alone: 127.0.0.1:9469').optional(),
      })
      .strict()
      .default({}),
    /** Where the control plane answers. Absent: at `listen`. */
    health: z.url().optional(),
    /** Absent: watchdog.json in stateDir. */
    state: z.string().min(1).optional(),
    /** Somebody or something that is away for less is told to nobody. */
    patienceS: z.number().min(0).default(120),
    /** How far a maintenance may be beyond what it said. */
    graceS: z.number().min(0).default(600),
    /** What still stands is told again. */
    renotifyS: z
      .number()
      .min(300)
      .default(4 * 3600),
    releaseExpiredLease: z.boolean().default(false),
  })
  .strict()
