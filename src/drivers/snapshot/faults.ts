/** Faults of a file, one line each with the JSON path: what a person needs to mend it. */
import type { z } from 'zod'

export type Parsed<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly faults: readonly string[] }

/** `$.nodes[0].memoryBytes` */
function jsonPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => text + (typeof key === 'number' ? `[${key}]` : `.${String(key)}`), '$')
}

export const fault = (path: readonly PropertyKey[], text: string): string => `${jsonPath(path)}: ${text}`

/** Parses text by a schema; `what` begins each line, so that two files can be told apart. */
export function parseJson<S extends z.ZodType>(text: string, schema: S, what: string): Parsed<{ value: z.infer<S> }> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    const why = error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : 'unreadable'
    return { ok: false, faults: [`${what} $: not JSON: ${why}`] }
  }
  const result = schema.safeParse(json)
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, faults: flatten(result.error.issues).map((line) => `${what} ${line}`) }
}

/** A union's faults are those of the branch that came nearest. */
function flatten(issues: readonly z.core.$ZodIssue[]): readonly string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const nearest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? []
      return flatten(nearest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })))
    }
    return [fault(issue.path, issue.message.replaceAll(/\s+/g, ' '))]
  })
}
