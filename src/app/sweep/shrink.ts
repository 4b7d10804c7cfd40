/** Finds a smaller night that breaks the same promise: fewer faults and people, rules, guests and nodes. Delta debugging over data. */
import type { SnapshotFile } from '#drivers/snapshot/snapshot-schema'
import type { DrawnNight, Part } from './drawn-night.ts'
import type { Breach } from './liveness.ts'
import { playDrawn } from './play-drawn.ts'

export type Shrunk = { readonly night: DrawnNight; readonly breach: Breach; readonly tries: number }

/** Each try is a whole night. */
const TRIES_LIMIT = 400

/** Undefined where the night breaks nothing. `onTry`: told after every try how many parts are left. */
export async function shrink(
  night: DrawnNight,
  onTry: (tries: number, partCount: number) => void = () => {},
): Promise<Shrunk | undefined> {
  const first = (await playDrawn(night)).outcome.broken[0]
  if (first === undefined) return undefined
  const search = new Search(night, first, onTry)
  let before: DrawnNight
  do {
    before = search.night
    await search.fewer<Part>(
      (one) => one.parts,
      (one, parts) => ({ ...one, parts }),
    )
    await search.fewer<Part>(
      (one) => one.parts.flatMap(singleLines),
      (one, parts) => ({ ...one, parts }),
    )
    await search.fewer<string>(
      (one) => Object.keys(one.story),
      (one, keys) => ({
        ...one,
        story: Object.fromEntries(Object.entries(one.story).filter(([key]) => keys.includes(key))),
      }),
    )
    await search.fewer((one) => one.snapshot.rules, inSnapshot('rules'))
    await search.fewer(
      (one) => one.snapshot.nodes,
      (one, nodes) => ({ ...one, snapshot: onNodes(one.snapshot, nodes) }),
    )
    await search.fewer((one) => one.snapshot.guests, inSnapshot('guests'))
  } while (search.night !== before && search.tries < TRIES_LIMIT)
  return { night: search.night, breach: search.breach, tries: search.tries }
}

const singleLines = ({ what, lines }: Part): Part[] => lines.map((line) => ({ what, lines: [line] }))

const inSnapshot =
  <K extends 'rules' | 'guests'>(key: K) =>
  (night: DrawnNight, items: SnapshotFile[K]): DrawnNight => ({
    ...night,
    snapshot: { ...night.snapshot, [key]: items },
  })

/** Without the others, and without what lies on them. */
function onNodes(snapshot: SnapshotFile, nodes: SnapshotFile['nodes']): SnapshotFile {
  const names = new Set(nodes.map(({ name }) => name))
  const { votes = {} } = snapshot.cluster
  const { ceph } = snapshot
  return {
    ...snapshot,
    nodes,
    cluster: {
      ...snapshot.cluster,
      votes: Object.fromEntries(Object.entries(votes).filter(([name]) => names.has(name))),
    },
    guests: snapshot.guests.filter(({ node }) => names.has(node)),
    ...(ceph === undefined
      ? {}
      : {
          ceph: {
            ...ceph,
            osds: ceph.osds.filter(({ host }) => names.has(host)),
            monitors: ceph.monitors.filter((name) => names.has(name)),
          },
        }),
  }
}

class Search {
  night: DrawnNight
  breach: Breach
  tries = 0
  readonly #wanted: string
  readonly #onTry: (tries: number, partCount: number) => void

  constructor(night: DrawnNight, breach: Breach, onTry: (tries: number, partCount: number) => void) {
    this.night = night
    this.breach = breach
    this.#wanted = essenceOf(breach)
    this.#onTry = onTry
  }

  /** Tries to do without halves, then quarters, down to single items; what is not needed stays away. */
  async fewer<T>(
    itemsOf: (night: DrawnNight) => readonly T[],
    withItems: (night: DrawnNight, items: T[]) => DrawnNight,
  ): Promise<void> {
    let items = [...itemsOf(this.night)]
    for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < items.length; ) {
        if (this.tries >= TRIES_LIMIT) return
        const fewer = [...items.slice(0, at), ...items.slice(at + size)]
        if (await this.#stillBreaks(withItems(this.night, fewer))) items = fewer
        else at += size
      }
    }
  }

  async #stillBreaks(candidate: DrawnNight): Promise<boolean> {
    this.tries++
    const { outcome } = await playDrawn(candidate)
    const same = outcome.broken.find((one) => essenceOf(one) === this.#wanted)
    if (same !== undefined) {
      this.night = candidate
      this.breach = same
    }
    this.#onTry(this.tries, this.night.parts.length)
    return same !== undefined
  }
}

/** The promise, and for liveness what was wrong: a night that cannot be played at all is not the same trouble. */
function essenceOf({ promise, text }: Breach): string {
  return typeof promise === 'number' ? String(promise) : `${promise}: ${text.replace(/[a-z]*\d+/g, '#')}`
}
