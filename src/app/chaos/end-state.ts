/** What is left when a night is over: what must be the same whatever happened to the program meanwhile. */
import type { NightResult } from '../night/play.ts'

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
export const brokenIn = ({ lab }: NightResult): readonly string[] => [
  ...lab.state.brokenPromises.map(({ promise, text }) => `promise ${promise}: ${text}`),
  ...lab.state.startedTwice.map((vmid) => `guest ${vmid} ran twice`),
]
