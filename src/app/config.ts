/** The configuration: read once, from one YAML file, into a frozen, checked object. Nobody else reads files or the environment. */

import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { isBlockerKind } from '#domain/blocker'
import { DEFAULT_STORY_POLICY, type StoryPolicy } from '#domain/policy'
import { Secret } from '#domain/secret'
import { BadInput } from './bad-input.ts'

const secretSchema = z.union([
  z.object({ env: z.string().min(1) }).strict(),
  z.object({ file: z.string().min(1) }).strict(),
])

const commandSchema = z.array(z.string().min(1)).min(1)

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

const nodeSchema = z
  .object({
    site: z.string().default('unknown'),
    room: z.string().default('unknown'),
    rack: z.string().default('unknown'),
    unit: z.string().default('unknown'),
    serial: z.string().min(1),
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

const configSchema = z
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
                fingerprint256: z.string(),
              })
              .strict(),
          )
          .min(1),
        haManager: commandSchema.optional(),
      })
      .strict(),
    ceph: z.union([
      z.literal('none'),
      z.literal('proxmox'),
      z
        .object({
          command: commandSchema.default(['ceph']),
          env: z.record(z.string(), z.string()).default({}),
          conf: z.string().optional(),
          keyring: z.string().optional(),
          name: z.string().optional(),
          stopOsds: commandSchema.optional(),
        })
        .strict(),
    ]),
    nodes: z.record(z.string(), nodeSchema),
    customers: z
      .record(
        z.string(),
        z
          .object({ name: z.string(), language: z.enum(['en', 'fr', 'es']).default('en'), mail: z.string().optional() })
          .strict(),
      )
      .default({}),
    smtp: z.object({ host: z.string(), port: z.number().int(), from: z.string() }).strict().optional(),
    operatorMail: z.string().optional(),
    technicianMail: z.string().optional(),
    roles: z.array(roleSchema).default([]),
    watch: z
      .object({ everyS: z.number().min(5).default(60) })
      .strict()
      .default({ everyS: 60 }),
    /** Present when a lab is behind: its control URL owns the time, and every figure is labelled simulated. */
    lab: z.object({ control: z.url() }).strict().optional(),
    policy: policySchema.default({}),
  })
  .strict()

export type Config = Omit<z.infer<typeof configSchema>, 'policy'> & { readonly policy: StoryPolicy }
export type SecretRef = z.infer<typeof secretSchema>

/** Checked as a whole, the secrets included, before anything is opened. Throws BadInput with every fault. */
export function readConfig(path: string): Config {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new BadInput([`${path}: cannot be read: ${error instanceof Error ? error.message : error}`])
  }
  const config = parseConfig(text, path)
  const faults = secretsIn(config).flatMap(([where, ref]) => secretFaults(ref, dirname(path), `${path}: ${where}`))
  if (faults.length > 0) throw new BadInput(faults)
  return config
}

/** The database: as configured, else DATABASE_URL's, else our own embedded one. */
export function databaseUrlOf(config: Config, configPath: string): Secret | undefined {
  const named = config.database?.url
  if (typeof named === 'string') return new Secret(named)
  if (named !== undefined) return secretOf(named, dirname(configPath))
  const { DATABASE_URL } = process.env
  return DATABASE_URL === undefined || DATABASE_URL === '' ? undefined : new Secret(DATABASE_URL)
}

export function parseConfig(text: string, name: string): Config {
  const document = parseDocument(text, { prettyErrors: true })
  if (document.errors.length > 0) throw new BadInput(document.errors.map((error) => `${name}: ${error.message}`))
  const parsed = configSchema.safeParse(document.toJS())
  if (!parsed.success) {
    throw new BadInput(parsed.error.issues.map((issue) => `${name}: ${pathOf(issue.path)}: ${issue.message}`))
  }
  const { plan, ...rest } = parsed.data.policy
  const policy = {
    ...DEFAULT_STORY_POLICY,
    ...rest,
    plan: { ...DEFAULT_STORY_POLICY.plan, ...plan },
  } as StoryPolicy
  return Object.freeze({ ...parsed.data, policy })
}

const pathOf = (path: readonly PropertyKey[]) => (path.length === 0 ? '$' : `$.${path.map(String).join('.')}`)

/** Every secret that the configuration refers to, with where it does. */
function secretsIn(config: Config): readonly (readonly [string, SecretRef])[] {
  const database = config.database?.url
  return [
    ...(typeof database === 'object' ? [['$.database.url', database] as const] : []),
    ...config.proxmox.entryPoints.map(
      ({ tokenSecret }, index) => [`$.proxmox.entryPoints.${index}.tokenSecret`, tokenSecret] as const,
    ),
    ...Object.entries(config.nodes).map(([node, { bmc }]) => [`$.nodes.${node}.bmc.password`, bmc.password] as const),
  ]
}

function secretFaults(ref: SecretRef, baseDir: string, where: string): readonly string[] {
  try {
    secretOf(ref, baseDir)
    return []
  } catch (error) {
    if (error instanceof BadInput) return error.faults.map((fault) => `${where}: ${fault}`)
    throw error
  }
}

/** Secrets come from a file or the environment, never from the configuration itself. Relative files: beside the configuration. */
export function secretOf(ref: SecretRef, baseDir: string): Secret {
  if ('env' in ref) {
    const value = process.env[ref.env]
    if (value === undefined || value === '') throw new BadInput([`the environment variable ${ref.env} is not set`])
    return new Secret(value)
  }
  const path = isAbsolute(ref.file) ? ref.file : resolve(baseDir, ref.file)
  try {
    return new Secret(readFileSync(path, 'utf8').trim())
  } catch {
    throw new BadInput([`the secret file ${path} cannot be read`])
  }
}
