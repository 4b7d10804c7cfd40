/** Proxmox's own description of its API (apidata.js of pve-docs, as gzipped JSON): no part of this project, read where it lies beside it. */
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const FILE = process.env.COULISSE_PVE_SCHEMA ?? ''
export const isThere = existsSync(FILE)
if (!isThere) console.log('left out: the checks against Proxmox VE’s API schema, for COULISSE_PVE_SCHEMA names no file')

export type Schema = {
  readonly type?: string | readonly string[]
  /** 1, or '1'. */
  readonly optional?: number | string
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}
type Method = { readonly parameters?: Schema; readonly returns?: Schema }
type Entry = {
  readonly path: string
  readonly info?: Readonly<Record<string, Method>>
  readonly children?: readonly Entry[]
}

const entriesOf = (entries: readonly Entry[]): readonly Entry[] =>
  entries.flatMap((entry) => [entry, ...entriesOf(entry.children ?? [])])
const described = isThere ? entriesOf(JSON.parse(gunzipSync(readFileSync(FILE)).toString('utf8'))) : []

type Found = { readonly path: string; readonly method: Method }

/** By a real path: '/nodes/pve1/status'. A literal part wins over a placeholder: it comes first in Proxmox's own order. */
export function describedAt(method: string, path: string): Found | undefined {
  for (const entry of described) {
    const found = entry.info?.[method]
    const pattern = new RegExp(`^${entry.path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`)
    if (found !== undefined && pattern.test(path)) return { path: entry.path, method: found }
  }
  return undefined
}

/** By a path with placeholders, whatever they are called. */
export function describedAs(method: string, path: string): Found | undefined {
  const bare = (text: string) => text.replaceAll(/\{\w+\}/g, '{}')
  const entry = described.find((one) => bare(one.path) === bare(path))
  const found = entry?.info?.[method]
  return entry === undefined || found === undefined ? undefined : { path: entry.path, method: found }
}

export const isOptional = ({ optional }: Schema): boolean => Number(optional ?? 0) === 1

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i

/** Undefined: it is. Numbers come as strings here and there, booleans as 0 and 1; a text that looks like a number comes as one. */
function wrongType(value: unknown, type: string): string | undefined {
  const is = (holds: boolean) => (holds ? undefined : `${JSON.stringify(value)?.slice(0, 40)} is no ${type}`)
  switch (type) {
    case 'boolean':
      return is([0, 1, '0', '1', true, false].includes(value as number))
    case 'integer':
      return is(Number.isInteger(value) || (typeof value === 'string' && /^-?\d+$/.test(value)))
    case 'number':
      return is(Number.isFinite(value) || (typeof value === 'string' && NUMBER.test(value)))
    case 'string':
      return is(typeof value === 'string' || typeof value === 'number')
    case 'array':
      return is(Array.isArray(value))
    case 'object':
      return is(typeof value === 'object' && value !== null && !Array.isArray(value))
    case 'null':
      return is(value === null)
    default:
      return undefined
  }
}

/** 'scsi0' is described as 'scsi[n]'. */
const propertyOf = (properties: NonNullable<Schema['properties']>, name: string): Schema | undefined =>
  properties[name] ?? properties[name.replace(/\d+$/, '[n]')]

/** What is wrong with a value, one line a fault: its type, a value that is not offered, a field that must be there or that nobody knows. */
export function faultsIn(value: unknown, schema: Schema, at = '$'): readonly string[] {
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? [])
  const wrong = types.map((type) => wrongType(value, type))
  if (wrong.length > 0 && wrong.every((text) => text !== undefined)) return [`${at}: ${wrong[0]}`]
  if (schema.enum !== undefined && !schema.enum.includes(String(value))) return [`${at}: ${value} is not offered`]
  if (typeof value === 'number' && (value < (schema.minimum ?? value) || value > (schema.maximum ?? value))) {
    return [`${at}: ${value} is outside ${schema.minimum} to ${schema.maximum}`]
  }
  if (Array.isArray(value)) return value.flatMap((item) => faultsIn(item, schema.items ?? {}, `${at}[]`))
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return []
  const { properties } = schema
  const missing = Object.entries(properties).filter(([name, one]) => !isOptional(one) && !(name in value))
  const unknown = Object.keys(value).filter((name) => propertyOf(properties, name) === undefined)
  return [
    ...missing.map(([name]) => `${at}.${name} is missing`),
    ...unknown.map((name) => `${at}.${name} is not described`),
    ...Object.entries(value).flatMap(([name, one]) =>
      faultsIn(one, propertyOf(properties, name) ?? {}, `${at}.${name}`),
    ),
  ]
}
