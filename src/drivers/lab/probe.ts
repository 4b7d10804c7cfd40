/** The lab's prober: gaps computed from what its guests really went through. */
import type { ProbeReading } from '#domain/measurement'
import type { Probe } from '#ports/probe'
import type { LabLink } from './link.ts'

export function labProbe(link: LabLink): Probe {
  return {
    read: async (query) => (await link.post<{ readings: readonly ProbeReading[] }>('/probe', query)).readings,
  }
}
