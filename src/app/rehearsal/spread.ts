/** Many figures in few: the middle, the ends, and how they lie between. */

export type Spread = { readonly p5: number; readonly median: number; readonly p95: number; readonly worst: number }

/** Nearest rank, so that every figure is one that was seen. Undefined: nothing was seen. */
export function spreadOf(figures: readonly number[]): Spread | undefined {
  const sorted = figures.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]
  const [p5, median, p95, worst] = [at(0.05), at(0.5), at(0.95), sorted.at(-1)]
  if (p5 === undefined || median === undefined || p95 === undefined || worst === undefined) return undefined
  return { p5, median, p95, worst }
}

export type Bin = { readonly from: number; readonly to: number; readonly count: number }

/** Figures that lie further apart than this are put on a scale of ratios, or one night that hung would leave one bin for all others. */
const RATIOS_FROM = 8

export type Scale = { readonly toPlace: (figure: number) => number; readonly toFigure: (place: number) => number }

/** Even, or of ratios where the figures are positive and lie far apart. */
export function scaleFor(figures: readonly number[]): Scale {
  const [low, high] = endsOf(figures)
  if (low <= 0 || high / low < RATIOS_FROM) return { toPlace: (figure) => figure, toFigure: (place) => place }
  return { toPlace: Math.log, toFigure: Math.exp }
}

/** Bins of one width on the scale, from the smallest figure to the largest, which lies in the last; one where all are equal. */
export function histogramOf(figures: readonly number[], binCount: number, scale = scaleFor(figures)): readonly Bin[] {
  if (figures.length === 0) return []
  const [lowest, highest] = endsOf(figures)
  if (lowest === highest) return [{ from: lowest, to: highest, count: figures.length }]
  const low = scale.toPlace(lowest)
  const width = (scale.toPlace(highest) - low) / binCount
  const counts = new Array<number>(binCount).fill(0)
  for (const figure of figures) {
    const index = Math.min(binCount - 1, Math.floor((scale.toPlace(figure) - low) / width))
    counts[index] = (counts[index] ?? 0) + 1
  }
  const edge = (index: number) => (index === binCount ? highest : scale.toFigure(low + index * width))
  return counts.map((count, index) => ({ from: edge(index), to: edge(index + 1), count }))
}

/** Not by spreading them as arguments: there may be hundreds of thousands. */
const endsOf = (figures: readonly number[]): readonly [low: number, high: number] => [
  figures.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY),
  figures.reduce((most, one) => Math.max(most, one), Number.NEGATIVE_INFINITY),
]
