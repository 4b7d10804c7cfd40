/** The real driver over a bad way to the lab's Proxmox API: a portion of what `./coulisse bench fault-proxy` plays. */
import { expect, it } from 'vitest'
import { playFaultDrain } from '#app/night/fault-drains'
import { calmNight } from './night-kit.ts'

const DRAINS = 40
const DRAINS_AT_LEAST = 10
/** A machine that is busy with other things plays fewer. */
const WALL_LIMIT_MS = 40_000

it('no promise is broken, and every drain ends in words, whatever becomes of the answers', async () => {
  const endings: Record<string, number> = {}
  let requests = 0
  let seed = 0
  const untilMs = performance.now() + WALL_LIMIT_MS
  while (seed < DRAINS && (seed < DRAINS_AT_LEAST || performance.now() < untilMs)) {
    seed++
    const drain = await playFaultDrain(calmNight().snapshot, 'pve3', seed)
    expect({ seed, broken: drain.broken, twice: drain.startedTwice }).toEqual({ seed, broken: [], twice: [] })
    expect(['done', 'undone', 'stuck'], `seed ${seed}: ${drain.text}`).toContain(drain.ending)
    endings[drain.ending] = (endings[drain.ending] ?? 0) + 1
    requests += drain.way.requests
  }
  console.info(`${seed} drains over a bad way, ${requests} requests: ${JSON.stringify(endings)}`)
}, 120_000)
