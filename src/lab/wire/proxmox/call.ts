/** One call as a route sees it, and the table that finds the route. */
import type { NodeName } from '#domain/ids'
import type { World } from '#lab/world/state'
import { OUR_USER } from '#lab/world/tasks'
import { type PveAnswer, wrongParameters } from './answer.ts'
import { type LabToken, may } from './rights.ts'

export type PveCall = {
  readonly world: World
  readonly token: LabToken
  /** The node whose API was asked: it proxies to others. */
  readonly entry: NodeName
  /** From the path: node, vmid, upid, flag … */
  readonly at: Readonly<Record<string, string>>
  readonly params: Readonly<Record<string, string>>
  /** Lists come in another order each time. */
  readonly shuffled: <T>(items: readonly T[]) => T[]
}

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** '/nodes/{node}/qemu/{vmid}/migrate' */
  readonly path: string
  /** What it takes besides the path; anything else is refused. */
  readonly takes?: readonly string[]
  readonly needs?: readonly string[]
  /** Checked before the handler: [path, any of these rights]; `{vmid}` is filled in. */
  readonly right?: readonly [path: string, ...anyOf: string[]]
  readonly answer: (call: PveCall) => PveAnswer
}

export type Found = { readonly route: Route; readonly at: Readonly<Record<string, string>> }

export function routeFinder(routes: readonly Route[]): (method: string, path: string) => Found | undefined {
  const compiled = routes.map((route) => ({
    route,
    pattern: new RegExp(`^${route.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
  }))
  return (method, path) => {
    for (const { route, pattern } of compiled) {
      if (route.method !== method) continue
      const match = pattern.exec(path)
      if (match !== null) return { route, at: { ...match.groups } }
    }
    return undefined
  }
}

/** Recorded texts. */
export function wrongIn({ takes = [], needs = [] }: Route, params: PveCall['params']): PveAnswer | undefined {
  const unknown = Object.keys(params).filter((name) => !takes.includes(name))
  const missing = needs.filter((name) => params[name] === undefined)
  if (unknown.length === 0 && missing.length === 0) return undefined
  return wrongParameters({
    ...Object.fromEntries(
      unknown.map((name) => [
        name,
        'property is not defined in schema and the schema does not allow additional properties',
      ]),
    ),
    ...Object.fromEntries(missing.map((name) => [name, 'property is missing and it is not optional'])),
  })
}

/** "Permission check failed (/vms/100, VM.PowerMgmt)"; undefined: it may. */
export function missingRight({ right }: Route, token: LabToken, at: PveCall['at']): string | undefined {
  if (right === undefined) return undefined
  const [pattern, ...anyOf] = right
  const path = pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => at[name] ?? '')
  if (anyOf.some((one) => may(token, path, one))) return undefined
  return `Permission check failed (${path}, ${anyOf.join('|')})`
}

/** What a token of our own user does is ours; another user is a colleague. */
export const byOf = ({ token }: PveCall): 'us' | 'others' => (userOf(token.id) === userOf(OUR_USER) ? 'us' : 'others')

const userOf = (tokenId: string) => tokenId.split('!')[0]
