/** Which of NetBox's devices is a node's. Pure. */
import type { NodeName } from '#domain/ids'
import type { NetboxDevice } from './answers.ts'

export type NodeInNetbox = {
  readonly node: NodeName
  /** What NetBox calls it, where that is not its name. */
  readonly name: string
  readonly serial?: string
}

export type FoundDevice =
  | { readonly is: 'found'; readonly device: NetboxDevice }
  | { readonly is: 'none' }
  /** Several have its name, and no serial decides. */
  | { readonly is: 'several'; readonly devices: readonly NetboxDevice[] }

export function findDevice({ name, serial }: NodeInNetbox, all: readonly NetboxDevice[]): FoundDevice {
  const same = all.filter((device) => device.name.toLowerCase() === name.toLowerCase())
  const [first, second] = same
  if (first === undefined) return { is: 'none' }
  if (second === undefined) return { is: 'found', device: first }
  const bySerial = same.filter(
    ({ words }) => serial !== undefined && words.serial?.toLowerCase() === serial.toLowerCase(),
  )
  const [only, another] = bySerial
  return only !== undefined && another === undefined ? { is: 'found', device: only } : { is: 'several', devices: same }
}
