import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { DEFAULT_STORY_POLICY } from '#domain/policy'
import { parseSnapshot } from '#drivers/snapshot/snapshot-file'
import { labPorts } from '#lab/ports/lab-ports'
import { createWorld } from '#lab/world/create'
import { LabWorld } from '#lab/world/lab-world'
import { liveRehearsals } from './live-rehearsals.ts'

const FILE = new URL('../../../scenarios/clusters/four-nodes.json', import.meta.url)
const request = { node: nodeName('pve3'), seed: 1, seeds: 2, faults: 'none' } as const

function aCluster() {
  const parsed = parseSnapshot(readFileSync(FILE, 'utf8'))
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
  const lab = new LabWorld(createWorld({ snapshot: parsed.snapshot, seed: 1, startAtMs: Date.UTC(2026, 10, 23, 8) }))
  return { lab, ports: labPorts(lab) }
}

describe('a rehearsal of the live cluster', () => {
  test('plays its twin and changes nothing in it', async () => {
    const { lab, ports } = aCluster()
    const before = structuredClone(lab.state)
    const outcome = await liveRehearsals({ ports, policy: DEFAULT_STORY_POLICY })(request)
    expect(outcome).toMatchObject({ is: 'rehearsed', rehearsal: { endings: { done: 2 } } })
    expect(lab.state).toEqual(before)
  })

  test('is refused while another is played, for a node that is not there, and where nothing answers', async () => {
    const { ports } = aCluster()
    const rehearses = liveRehearsals({ ports, policy: DEFAULT_STORY_POLICY })
    const first = rehearses(request)
    expect(await rehearses(request)).toMatchObject({ is: 'refused', text: 'a rehearsal is played already' })
    await first
    expect(await rehearses({ ...request, node: nodeName('pve9') })).toMatchObject({ is: 'refused' })
    expect(await rehearses({ ...request, seeds: 1000 })).toMatchObject({ is: 'refused' })
    const away = async (): Promise<never> => {
      throw new DriverError('proxmox', 'observe', { retry: 'later', text: '595 no route to host' })
    }
    const blind = liveRehearsals({
      ports: { ...ports, hypervisor: { ...ports.hypervisor, observe: away } },
      policy: DEFAULT_STORY_POLICY,
    })
    expect(await blind(request)).toMatchObject({ is: 'refused', text: expect.stringContaining('595 no route to host') })
  })
})
