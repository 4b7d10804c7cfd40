/** Calls to Proxmox's API while a node is drained, counted at the lab's door. */
import { badWay } from '#app/night/bad-way'
import { playNight } from '#app/night/play'
import { parseScript } from '#app/night/script'
import type { JournalRow } from '#domain/event'
import { CALM_WAY } from '#lab/wire/fault-proxy'
import { clusterToDrain, DRAINED } from './cluster.ts'

const SCRIPT = `+0s: start ${DRAINED} FAN3 it rattles\neach plan-proposed +30s: approve`
const SEED = 1

export type ApiCalls = {
  readonly guests: number
  readonly calls: number
  readonly perGuest: number
  readonly drainS: number
  readonly byKind: Readonly<Record<string, number>>
}

/** From the journal's `stage drain begins` to `stage drain ends`: every request of the driver, whatever it was for. */
export async function countApiCalls(guests: number, withHa: boolean): Promise<ApiCalls> {
  const byKind: Record<string, number> = {}
  let isDraining = false
  let beganMs = 0
  let drainMs = 0
  const endsWith = ({ event, atMs }: JournalRow) => {
    if (event.kind === 'stage-began' && event.stage === 'drain') {
      isDraining = true
      beganMs = atMs
    }
    if (event.kind !== 'stage-ended' || event.stage !== 'drain') return false
    isDraining = false
    drainMs = atMs - beganMs
    return true
  }
  const onAsked = (method: string, path: string) => {
    if (isDraining) byKind[kindOf(method, path)] = (byKind[kindOf(method, path)] ?? 0) + 1
  }
  const residentGibOf = (index: number) => 4 + (index % 4) * 2
  await playNight({
    snapshot: clusterToDrain({ guests, withHa, parallel: 3, residentGibOf }),
    seed: SEED,
    script: parseScript(SCRIPT),
    endsWith,
    outside: (lab, clock) => badWay(lab, clock, { seed: SEED, faults: CALM_WAY, onAsked }),
  })
  if (drainMs === 0) throw new Error('the drain did not end')
  const calls = Object.values(byKind).reduce((sum, count) => sum + count, 0)
  const perGuest = Math.round((calls / guests) * 100) / 100
  return { guests, calls, perGuest, drainS: Math.round(drainMs / 1000), byKind }
}

/** 'GET tasks/log', whatever node, guest and task. */
function kindOf(method: string, path: string): string {
  const words = decodeURIComponent(path)
    .replace('/api2/json', '')
    .split('/')
    .filter((word) => word !== '' && word !== 'nodes' && !/^(pve)?\d+$/.test(word) && !word.startsWith('UPID:'))
  return `${method} ${words.join('/')}`
}
