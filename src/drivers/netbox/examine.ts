/** What the doctor says of NetBox: whether it answers us, and whether it knows every node, as the configuration does. */
import type { Check } from '#domain/check'
import { DriverError } from '#domain/driver-error'
import { mergePlaces, type PlaceWords } from '#domain/place'
import type { NetboxDevices } from './devices.ts'
import { findDevice, type NodeInNetbox } from './find.ts'

export type ExaminedNode = NodeInNetbox & {
  /** What the configuration says of its place. */
  readonly words: PlaceWords
}

const check = (subject: string, outcome: Check['outcome'], text: string, mend?: string): Check => ({
  area: 'inventory',
  subject,
  outcome,
  text,
  ...(outcome === 'fine' ? {} : { stages: ['repair'] }),
  ...(mend === undefined ? {} : { mend }),
})

/** Looks only. What it finds wrong is a Check, never an error. */
export async function examineNetbox(exam: {
  readonly url: string
  readonly devices: NetboxDevices
  readonly nodes: readonly ExaminedNode[]
}): Promise<readonly Check[]> {
  const { url, devices, nodes } = exam
  try {
    const all = await devices.named(nodes.map(({ name }) => name))
    const found = nodes.flatMap((node) => nodeChecks(node, findDevice(node, all)))
    const text = `NetBox answers, and knows ${nodes.filter((node) => findDevice(node, all).is === 'found').length} of ${nodes.length} nodes`
    return [check(url, 'fine', text), ...found]
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const mend =
      error.retry === 'never'
        ? 'correct netbox.url, netbox.token (its user needs "view" on devices) or its certificate'
        : `make it answer: curl ${url}/api/status/`
    return [check(url, 'missing', error.message, mend)]
  }
}

function nodeChecks({ node, name, words }: ExaminedNode, found: ReturnType<typeof findDevice>): readonly Check[] {
  switch (found.is) {
    case 'none':
      return [check(node, 'missing', `NetBox has no device ${name}`, `netbox.names: { ${node}: its name in NetBox }`)]
    case 'several': {
      const ids = found.devices.map(({ id }) => id).join(', ')
      const text = `NetBox has several devices ${name} (ids ${ids}), and no serial tells which it is: none is believed`
      return [check(node, 'missing', text, `nodes.${node}: { serial: … }`)]
    }
    case 'found': {
      const { device } = found
      const { words: known, contradictions } = mergePlaces([
        { from: 'the configuration', words },
        { from: 'NetBox', words: device.words },
      ])
      const said = contradictions.map((one) =>
        check(
          node,
          'dangerous',
          `${one}: hands may stand before another node`,
          'look at the chassis, and correct who is wrong',
        ),
      )
      const absent = (['rack', 'unit'] as const).filter((key) => known[key] === undefined)
      if (absent.length > 0) {
        const text = `neither NetBox nor the configuration knows its ${absent.join(' and ')}`
        said.push(check(node, 'missing', text, `rack it in NetBox, or nodes.${node}: { ${absent.join(': …, ')}: … }`))
      }
      if (device.status === 'active') return said
      return [...said, check(node, 'dangerous', `is ${device.status} in NetBox, and a member of the cluster`)]
    }
  }
}
