/** What a person typed or a file held, and what is wrong with it: every fault, one line each. Ends the command with exit 2. */
import type { ZodError } from 'zod'

export class BadInput extends Error {
  override readonly name = 'BadInput'
  readonly faults: readonly string[]

  /** @param faults one line each, with the path where there is one: "cluster.json: nodes[2].name: is missing" */
  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

const pathText = (path: readonly PropertyKey[]) =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text === '' ? String(key) : `${text}.${String(key)}`
  }, '')

/** One line a fault, with its JSON path. */
export function faultsOf(source: string, error: ZodError): BadInput {
  return new BadInput(
    error.issues.map(({ path, message }) => `${source}: ${pathText(path) || '(all of it)'}: ${message}`),
  )
}
