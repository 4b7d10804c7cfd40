/** What a configuration may say: every key, its type, its default. */
import { z } from 'zod'
import { isBlockerKind } from '#domain/blocker'
import type { StoryPolicy } from '#domain/policy'
import { customerSchema, customersFromSchema } from './customers-schema.ts'
import { alertmanagerSchema, monitoringLabelsSchema, netboxSchema, prometheusSchema } from './monitoring.ts'
import { secretSchema } from './secret-schema.ts'
import { watchdogSchema } from './watchdog.ts'
import { probesSchema, witnessesSchema } from './witness.ts'

const commandSchema = z.array(z.string().min(1)).min(1)

/** A command of one's own, or: on a node, by the ssh key that `ssh` names. */
const commandOrSsh = z.union([commandSchema, z.literal('ssh')])

/** How nodes are reached for what no API offers. Files are found beside the configuration. */
const sshSchema = z
  .object({
    user: z.string().min(1).default('root'),
    key: z.string().min(1),
    knownHosts: z.string().min(1),
    port: z.number().int().min(1).max(65_535).default(22),
    /** By node, where it does not answer under its own name. */
    hosts: z
      .record(
        z.string(),
        z.object({ host: z.string().min(1), port: z.number().int().min(1).max(65_535).optional() }).strict(),
      )
      .default({}),
  })
  .strict()

const policySchema = z
  .object({
    plan: z
      .object({
        cpuOvercommit: z.number().positive(),
        memoryHeadroomFraction: z.number().min(0).lt(1),
        reserveNodes: z.union([z.literal('auto'), z.number().int().min(0)]),
        parallelMigrations: z.union([z.literal('auto'), z.number().int().min(1).max(8)]),
        allowRestart: z.union([z.literal('all'), z.array(z.number().int().positive())]),
        returnHome: z.boolean(),
        lifted: z.array(z.string().refine(isBlockerKind, 'no such blocker')),
      })
      .partial()
      .strict(),
    approvalsNeeded: z.number().int().min(1).max(5),
    revisionsNeedApproval: z.boolean(),
    window: z
      .object({
        fromHour: z.number().int().min(0).max(23),
        toHour: z.number().int().min(1).max(24),
        weekdaysOnly: z.boolean(),
      })
      .strict(),
    planMaxAgeS: z.number().positive(),
    emptyLooksApartS: z.number().min(20, 'the cluster’s list is up to 20 s stale'),
    gateLimitS: z.number().positive(),
    drainLimitS: z.number().positive(),
    migrationLimitS: z.number().positive(),
    shutdownLimitS: z.number().positive(),
    bootLimitS: z.number().positive(),
    repairLimitS: z.number().positive(),
    recoveryLimitS: z.number().positive(),
    soakS: z.number().min(60),
    leaseS: z.number().min(600),
    cancelOverBudget: z.boolean(),
    defaultPauseBudgetMs: z.number().positive(),
    monitorsLeftAtLeast: z.number().int().min(1),
  })
  .partial()
  .strict()

const bmcSchema = z.discriminatedUnion('kind', [
  z
    .object({
      kind: z.literal('redfish'),
      url: z.url(),
      user: z.string(),
      password: secretSchema,
      fingerprint256: z.string().optional(),
      /** 'session' where basic sign-in is switched off; 'basic' leaves nothing behind at the BMC. */
      signIn: z.enum(['basic', 'session']).optional(),
      /** '/redfish/v1/Systems/1', where one service stands for several nodes. */
      system: z.string().startsWith('/redfish/v1/Systems/').optional(),
    })
    .strict(),
  z
    .object({
      kind: z.literal('ipmi'),
      host: z.string(),
      port: z.number().int().default(623),
      user: z.string(),
      password: secretSchema,
      cipherSuite: z.number().int().optional(),
      guidEncoding: z.enum(['smbios', 'ipmi', 'rfc4122']).optional(),
    })
    .strict(),
])

/** Between two rounds: BMCs stream their events, or push them to us. Most push to HTTPS alone. */
const eventsSchema = z.union([
  z.enum(['off', 'sse']),
  z
    .object({
      push: z
        .object({
          listen: z.string().regex(/^[\w.:[\]-]+:\d+$/, 'host:port'),
          url: z.url().optional(),
          cert: z.string().optional(),
          key: z.string().optional(),
        })
        .strict(),
    })
    .strict(),
])

const nodeSchema = z
  .object({
    site: z.string().default('unknown'),
    room: z.string().default('unknown'),
    rack: z.string().default('unknown'),
    unit: z.string().default('unknown'),
    /** Absent: what the machine says of itself, else NetBox. */
    serial: z.string().min(1).optional(),
    systemUuid: z.string().min(1),
    assetTag: z.string().optional(),
    chassis: z.string().optional(),
    linkBitsPerSecond: z.number().positive().default(10e9),
    bmc: bmcSchema,
  })
  .strict()

const roleSchema = z
  .object({
    kind: z.enum(['coulisse', 'qnetd', 'backup', 'dns', 'router']),
    guest: z.number().int().optional(),
    node: z.string().optional(),
  })
  .strict()

export const configSchema = z
  .object({
    cluster: z.string().min(1),
    hoster: z.string().default('Your hoster'),
    stateDir: z.string(),
    listen: z
      .string()
      .regex(/^[\w.:[\]-]+:\d+$/, 'host:port')
      .default('127.0.0.1:8300'),
    database: z
      .object({ url: z.union([z.string().min(1), secretSchema]) })
      .strict()
      .optional(),
    proxmox: z
      .object({
        entryPoints: z
          .array(
            z
              .object({
                node: z.string().optional(),
                url: z.url(),
                tokenId: z.string(),
                tokenSecret: secretSchema,
                /** The node's certificate; or the authority that signs it: `ca: { file: pve-root-ca.pem }`. */
                fingerprint256: z.string().optional(),
                ca: secretSchema.optional(),
              })
              .strict()
              .refine(({ fingerprint256, ca }) => (fingerprint256 === undefined) !== (ca === undefined), {
                message: 'either fingerprint256 or ca: whom to trust',
              }),
          )
          .min(1),
        /** A command: `{node}` and `{action}` (enable or disable) are filled in. */
        haManager: z
          .union([
            ...commandOrSsh.options,
            z.object({ command: commandSchema, env: z.record(z.string(), z.string()).default({}) }).strict(),
          ])
          .optional(),
      })
      .strict(),
    ssh: sshSchema.optional(),
    ceph: z.union([
      z.literal('none'),
      z.literal('proxmox'),
      z
        .object({
          command: commandOrSsh.default(['ceph']),
          env: z.record(z.string(), z.string()).default({}),
          conf: z.string().optional(),
          keyring: z.string().optional(),
          name: z.string().optional(),
          stopOsds: commandOrSsh.optional(),
        })
        .strict(),
    ]),
    nodes: z.record(z.string(), nodeSchema),
    customers: z.record(z.string(), customerSchema).default({}),
    customersFrom: customersFromSchema.default('pool'),
    smtp: z
      .object({
        host: z.string(),
        port: z.number().int(),
        from: z.string(),
        /** TLS from the first byte; else STARTTLS where the server offers it. */
        secure: z.boolean().default(false),
        user: z.string().min(1).optional(),
        password: secretSchema.optional(),
        /** Of the server's certificate, where no public authority vouches for it. */
        ca: secretSchema.optional(),
      })
      .strict()
      .refine(
        ({ user, password }) => (user === undefined) === (password === undefined),
        'user and password come together',
      )
      .optional(),
    operatorMail: z.string().optional(),
    technicianMail: z.string().optional(),
    roles: z.array(roleSchema).default([]),
    watch: z
      .object({
        everyS: z.number().min(5).default(60),
        atOnce: z.number().int().min(1).max(64).default(16),
        events: eventsSchema.default('off'),
      })
      .strict()
      .default({ everyS: 60, atOnce: 16, events: 'off' }),
    monitoringLabels: monitoringLabelsSchema.default({ rules: [] }),
    prometheus: prometheusSchema.optional(),
    alertmanager: alertmanagerSchema.optional(),
    netbox: netboxSchema.optional(),
    witnesses: witnessesSchema,
    probes: probesSchema,
    /** Read by `./coulisse watchdog`; the control plane does not look at it. */
    watchdog: watchdogSchema.optional(),
    /** Present when a lab is behind: its control URL owns the time, and every figure is labelled simulated. */
    lab: z.object({ control: z.url() }).strict().optional(),
    policy: policySchema.default({}),
  })
  .strict()
  .superRefine((config, context) => {
    if (config.ssh !== undefined) return
    for (const path of usesOfSsh(config)) {
      context.addIssue({
        code: 'custom',
        path: [...path],
        message: 'there is no ssh: { key: …, knownHosts: … } to use',
      })
    }
  })

type UsesSsh = {
  readonly proxmox: { readonly haManager?: unknown }
  readonly ceph: string | { readonly command?: unknown; readonly stopOsds?: unknown }
}

function usesOfSsh({ proxmox, ceph }: UsesSsh): readonly (readonly string[])[] {
  const ofCeph = typeof ceph === 'string' ? [] : (['command', 'stopOsds'] as const).filter((key) => ceph[key] === 'ssh')
  return [...(proxmox.haManager === 'ssh' ? [['proxmox', 'haManager']] : []), ...ofCeph.map((key) => ['ceph', key])]
}

export type Config = Omit<z.infer<typeof configSchema>, 'policy'> & { readonly policy: StoryPolicy }
