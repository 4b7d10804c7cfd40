/** The demo's end in words: how it went, the figures, where to read on. */
import { pathToFileURL } from 'node:url'
import type { DemoSummary, RealGuestMove } from '#app/demo/summary'

const ms = (figure: number | 'unmeasured') => (figure === 'unmeasured' ? 'unmeasured' : `${Math.round(figure)} ms`)

export function summaryText(summary: DemoSummary, stateDir: string): string {
  const { stages, noout } = summary
  const span = (from: string | null, to: string | null) =>
    from === null || to === null ? 'open' : minutesBetween(from, to)
  const lines = [
    '',
    `${summary.ending}: ${summary.text}`,
    ...simulatedLines(summary),
    '',
    ...stages.map(({ stage, startedAt, endedAt }) => `  ${stage.padEnd(12)} ${span(startedAt, endedAt)}`),
    '',
    `  guests moved away ${summary.guestsMoved}, home again ${summary.guestsHome}`,
    `  longest blackout ${ms(summary.longestBlackoutMs)} by the hypervisor`,
    `  longest gap ${ms(summary.longestProbeGapMs)} by the prober, which asks every ${ms(summary.probeIntervalMs)}`,
    `  noout stood on this host for ${span(noout.setAt, noout.clearedAt)}`,
    `  promises broken: ${summary.brokenPromises.length === 0 ? 'none of ten' : JSON.stringify(summary.brokenPromises)}`,
    ...realLines(summary),
    '',
    'What each customer reads:',
    ...summary.reports.map((path) => `  ${pathToFileURL(path)}`),
    ...evidenceLines(summary),
    `The whole journal (${summary.journalEntries} entries): ${stateDir}/journal.json`,
    `  ./coulisse verify ${stateDir}/journal.json`,
    '',
  ]
  return lines.filter((line, index) => line !== '' || lines[index - 1] !== '').join('\n')
}

function evidenceLines({ evidence, roots }: DemoSummary): readonly string[] {
  const compare = roots === null ? '' : ` --root ${roots}`
  if (evidence.length === 0) return []
  return ['What each customer can check offline:', ...evidence.map((path) => `  ./coulisse verify ${path}${compare}`)]
}

/** What is real says so beside its figures; all the rest is the lab's. */
function simulatedLines({ simulated, real }: DemoSummary): readonly string[] {
  if (!simulated) return []
  if (real === undefined) return ['(all figures are simulated: the cluster is the lab’s)']
  return ['(the cluster is the lab’s and its figures are simulated, but for those of what is called real or verifying)']
}

function realLines(summary: DemoSummary): readonly string[] {
  return [...clientLines(summary), ...(summary.realGuests ?? []).map(moveLine), ...troubleLines(summary)]
}

function moveLine(move: RealGuestMove): string {
  const { hypervisorPauseMs, hypervisorResolutionMs, probeGapMs, probeIntervalMs, probeResolutionMs } = move
  const hypervisor = `paused ${within(hypervisorPauseMs, hypervisorResolutionMs)} by QEMU`
  const prober = `no answer for ${within(probeGapMs, probeResolutionMs)} by the prober, one probe every ${probeIntervalMs} ms`
  return `  real guest ${move.guest}, ${move.from} to ${move.to}: ${hypervisor}; ${prober}; ${bootText(move)}`
}

const within = (figure: number | string, resolutionMs: number | string) =>
  typeof figure === 'number' ? `${figure} ms (to within ${resolutionMs} ms)` : figure

function bootText({ bootIdBefore, bootIdAfter }: RealGuestMove): string {
  if (bootIdBefore === 'unknown' || bootIdAfter === 'unknown') return 'its boot id could not be asked for'
  const same = bootIdBefore === bootIdAfter
  return same ? `boot ${bootIdAfter} as before` : `RESTARTED: boot ${bootIdBefore} before, ${bootIdAfter} after`
}

const troubleLines = ({ realGuestTroubles }: DemoSummary) =>
  (realGuestTroubles ?? []).map((text) => `  TROUBLE: ${text}`)

function clientLines({ real }: DemoSummary): readonly string[] {
  if (real === undefined) return []
  const { writes, verified, errors, worstMs, objectsMisplaced, objectsMisplacedOnReturn } = real
  return [
    `  the verifying client: ${writes} objects written, ${verified} verified, ${errors} errors, worst operation ${ms(worstMs)}`,
    `  objects misplaced while the node was away: ${objectsMisplaced}; right after its return: ${objectsMisplacedOnReturn}`,
  ]
}

function minutesBetween(from: string, to: string): string {
  const seconds = Math.round((Date.parse(to) - Date.parse(from)) / 1000)
  const minutes = Math.floor(seconds / 60)
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`
}
