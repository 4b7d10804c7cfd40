/** Real guests in a simulated world: started where the world has them, following it, and probed for it from outside. */
import type { NodeName, Vmid } from '#domain/ids'
import type { ProbeReading } from '#domain/measurement'
import { guestOf } from '#lab/world/guests'
import type { LabWorld } from '#lab/world/lab-world'
import type { RealCeph } from '../ceph-cluster.ts'
import { type FollowedGuests, followWorld, type RealStory } from './follow-world.ts'
import { type RealGuests, startRealGuests } from './real-guests.ts'

export type JoinedGuests = {
  readonly guests: RealGuests
  isReal(guest: Vmid): boolean
  /** In the world's time; what the prober saw in the real time that this was. */
  probe(query: ProbeQuery): Promise<ProbeReading>
  story(): Promise<RealStory>
  stop(): Promise<void>
}

type ProbeQuery = { readonly guest: Vmid; readonly fromMs: number; readonly toMs: number }

export async function joinGuests(options: {
  readonly lab: LabWorld
  readonly onChange: () => void
  readonly ceph: RealCeph
  readonly dir: string
  readonly cacheDir: string
  readonly vmids: readonly Vmid[]
  readonly log: (line: string) => void
}): Promise<JoinedGuests> {
  const { lab, vmids, onChange, log } = options
  const at = new Map<Vmid, NodeName>()
  for (const vmid of vmids) {
    const [node] = guestOf(lab.state, vmid)?.runsOn ?? []
    if (node === undefined) log(`guest ${vmid} does not run in its cluster: it is not made real`)
    else at.set(vmid, node)
  }
  const guests = await startRealGuests({
    ...options,
    nodes: Object.values(lab.state.nodes).map(({ name }) => name),
    guests: [...at].map(([vmid, node]) => ({ vmid, node })),
  })
  for (const vmid of at.keys()) {
    const guest = guestOf(lab.state, vmid)
    if (guest !== undefined) guest.real = true
  }
  const followed = followWorld({ lab, guests, at, onChange, log })
  return {
    guests,
    isReal: (guest) => at.has(guest),
    probe: async (query) => {
      const reading = await readProbe(guests, followed, query)
      const guest = guestOf(lab.state, query.guest)
      if (guest !== undefined && reading.is === 'measured') {
        guest.probedMs = [...(guest.probedMs ?? []), reading.longestGapMs, reading.intervalMs]
      }
      return reading
    },
    story: () => followed.story(),
    stop: async () => {
      followed.halt()
      await guests.stop()
      await followed.settled()
    },
  }
}

async function readProbe(guests: RealGuests, { time }: FollowedGuests, query: ProbeQuery): Promise<ProbeReading> {
  const { guest, fromMs, toMs } = query
  const unmeasured = { is: 'unmeasured', guest, reason: 'the prober did not watch all of this time' } as const
  const began = time.realBefore(fromMs)
  if (began === undefined) return unmeasured
  const window = { fromMs: began, toMs: time.realAfter(toMs) ?? Date.now() }
  const seen = await guests.prober.read(guests.addressOf(guest), window)
  if (seen === 'unmeasured') return unmeasured
  const { sentCount, lostCount, longestGapMs } = seen
  const longestGapAtMs = time.worldBefore(seen.longestGapAtMs) ?? fromMs
  const figures = { sentCount, lostCount, longestGapMs: Math.round(longestGapMs), longestGapAtMs }
  return { is: 'measured', guest, fromMs, toMs, intervalMs: guests.prober.intervalMs, ...figures }
}
