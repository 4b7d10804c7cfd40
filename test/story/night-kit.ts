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

/** What must be the same at the end, whatever happened to the program meanwhile. */
export function endStateOf({ lab, ending }: NightResult) {
  const { nodes, guests, ceph, pages } = lab.state
  return {
    ending,
    nodes: Object.values(nodes).map(({ name, state, haMaintenance, bmc, cordsPulled }) => ({
      name,
      state,
      haMaintenance,
      locateOn: bmc.locateOn,
      cordsPulled,
    })),
    guests: Object.values(guests).map(({ spec, node, runsOn, lock }) => ({ vmid: spec.vmid, node, runsOn, lock })),
    ceph:
      ceph === 'none'
        ? 'none'
        : {
            flags: ceph.flags,
            hostFlags: ceph.hostFlags,
            configKeys: ceph.configKeys,
            osds: ceph.osds.map(({ id, up, in: isIn }) => ({ id, up, in: isIn })),
            moved: ceph.objectsMovedByUs,
          },
    pages: Object.keys(pages).sort(),
  }
}

/** The ten promises, and no guest twice. */
export const brokenIn = ({ lab }: NightResult) => [
  ...lab.state.brokenPromises.map(({ promise, text }) => `${promise}: ${text}`),
  ...lab.state.startedTwice.map((vmid) => `guest ${vmid} ran twice`),
]

export const leaseOf = ({ lab }: NightResult) =>
  lab.state.ceph === 'none' ? undefined : lab.state.ceph.configKeys['coulisse/lease/pve3']
