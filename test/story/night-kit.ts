/** What the tests of whole nights share: the calm night to begin with, and how a night's end is looked at. */
import { join } from 'node:path'
import { type NightOptions, type NightResult, playNight } from '#app/night/play'
import { readScenario, type Scenario } from '#app/night/scenario'
import { parseScript } from '#app/night/script'

const SCENARIOS = join(import.meta.dirname, '../../scenarios')

const CALM_SCRIPT = `
+0s: start pve3 FAN3 it rattles
each plan-proposed +2m: approve
`

/** Four nodes, seven guests on pve3, Ceph; the fan story without a hitch. */
export function calmNight(script = CALM_SCRIPT): Scenario {
  const scenario = readScenario(join(SCENARIOS, 'pair-that-belongs-together-goes-home-together'))
  return { ...scenario, script: parseScript(script) }
}

export const playCalm = (more: Partial<NightOptions> = {}): Promise<NightResult> =>
  playNight({ ...calmNight(), ...more })

export const leaseOf = ({ lab }: NightResult) =>
  lab.state.ceph === 'none' ? undefined : lab.state.ceph.configKeys['coulisse/lease/pve3']
