/** The moments at which a demo is killed: journal rows drawn from a fixed seed, so that a failure can be had again. */
const DEFAULT_KILLS = 3
const SEED = 20_261_123
/** About as many as a whole story writes; a story that ended before is killed while it ends, which is a moment too. */
const LAST_ROW = 104

export const killCount = Number(process.env.COULISSE_KILLS ?? DEFAULT_KILLS)

/** One moment in each of `count` equal spans of the story: the first may be before its first row. */
export function killMoments(count: number): readonly number[] {
  let state = SEED
  const draw = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state / 2 ** 32
  }
  return Array.from({ length: count }, (_, index) => Math.floor(((index + draw()) / count) * LAST_ROW))
}
