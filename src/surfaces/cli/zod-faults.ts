/** What zod found wrong, said as bad input. */
import type { ZodError } from 'zod'
import { BadInput } from '#app/bad-input'

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
