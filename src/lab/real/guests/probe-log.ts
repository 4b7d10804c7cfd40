/** What `fping -l -D` prints, line by line, and what can be read from it: gaps between answers, and how even the prober's own time was. Pure. */

/** One probe of one address: answered after so long, or given up on, at this moment of the machine's clock. */
export type ProbeLine = { readonly atMs: number; readonly address: string; readonly tookMs: number | 'no-answer' }

/** '[1795362456.21392] 10.77.0.11  : [0], 64 bytes, 0.358 ms (0.358 avg, 0% loss)', or '…, timed out (NaN avg, 100% loss)'. */
const LINE = /^\[(\d+\.\d+)\] (\S+)\s*: \[\d+\], (?:\d+ bytes, ([\d.]+) ms|timed out)/
/** Who is paused answers what waited for him: so late that the probe counts as lost. */
const LATE_MS = 100

/** Undefined: the line tells of no probe. */
export function readProbeLine(line: string): ProbeLine | undefined {
  const found = LINE.exec(line)
  if (found === null) return undefined
  return {
    atMs: Math.round(Number(found[1]) * 100_000) / 100,
    address: found[2] ?? '',
    tookMs: found[3] === undefined ? 'no-answer' : Number(found[3]),
  }
}

export type ProbeWindow = { readonly fromMs: number; readonly toMs: number }

export type ProbeFigures = {
  readonly sentCount: number
  /** Without an answer, or with one that came over 100 ms late. */
  readonly lostCount: number
  /** The longest time between two answers, or from the last answer to the window's end. */
  readonly longestGapMs: number
  readonly longestGapAtMs: number
}

/** Three hours at 100 a second: what is older is forgotten, and then unmeasured. */
const KEPT_LIMIT = 1_080_000

type Probes = { readonly probesMs: number[]; readonly answersMs: number[]; readonly lostMs: number[] }

export class ProbeLog {
  readonly #byAddress = new Map<string, Probes>()

  take(line: string): void {
    const probe = readProbeLine(line)
    if (probe === undefined) return
    const known = this.#byAddress.get(probe.address) ?? { probesMs: [], answersMs: [], lostMs: [] }
    this.#byAddress.set(probe.address, known)
    if (probe.tookMs !== 'no-answer') keep(known.answersMs, probe.atMs)
    if (probe.tookMs === 'no-answer' || probe.tookMs > LATE_MS) keep(known.lostMs, probe.atMs)
    keep(known.probesMs, probe.atMs)
  }

  /** The moment of the newest line of this address, answered or not. */
  newestMs(address: string): number | undefined {
    return this.#byAddress.get(address)?.probesMs.at(-1)
  }

  /** Undefined: nobody probed it throughout the window. */
  figures(address: string, { fromMs, toMs }: ProbeWindow): ProbeFigures | undefined {
    const known = this.#byAddress.get(address)
    if (known === undefined || toMs <= fromMs) return undefined
    const { answersMs, lostMs, probesMs } = known
    const countIn = (list: readonly number[]) => firstAtOrAfter(list, toMs) - firstAtOrAfter(list, fromMs)
    const begin = firstAtOrAfter(answersMs, fromMs)
    const end = firstAtOrAfter(answersMs, toMs)
    // The answer before the window is where its first gap begins: without one nobody knows how long that was.
    const before = answersMs[begin - 1]
    if (before === undefined) return undefined
    let [lastMs, longestGapMs, longestGapAtMs] = [before, 0, fromMs]
    for (let at = begin; at <= end; at++) {
      const nextMs = answersMs[at] ?? toMs
      if (nextMs - lastMs > longestGapMs) [longestGapMs, longestGapAtMs] = [nextMs - lastMs, lastMs]
      lastMs = nextMs
    }
    return { sentCount: countIn(probesMs), lostCount: countIn(lostMs), longestGapMs, longestGapAtMs }
  }
}

function keep(list: number[], atMs: number): void {
  list.push(atMs)
  if (list.length > KEPT_LIMIT) list.splice(0, KEPT_LIMIT / 2)
}

/** Index of the first value that is not before `atMs`; the list is in order. */
function firstAtOrAfter(valuesMs: readonly number[], atMs: number): number {
  let [low, high] = [0, valuesMs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((valuesMs[middle] as number) < atMs) low = middle + 1
    else high = middle
  }
  return low
}
