/** Where nodes stand: by the configuration, else by the machine itself, else by NetBox; what was learnt once is kept. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Json } from '#domain/json'
import type { Place } from '#domain/maintenance'
import { mergePlaces, type PlaceWords, type Told } from '#domain/place'
import type { BmcIdentity } from '#ports/bmc'
import type { Clock } from '#ports/clock'

export type KnownNode = {
  readonly node: NodeName
  /** By the configuration: against it the BMC is proven before its word counts. */
  readonly systemUuid: string
  readonly words: PlaceWords
}

export type PlacesParts = {
  readonly nodes: readonly KnownNode[]
  /** NetBox's words for every node that it knows; DriverError when it does not answer. Absent: there is none. */
  readonly netbox?: () => Promise<Readonly<Record<string, PlaceWords>>>
  readonly identity: (node: NodeName) => Promise<BmcIdentity>
  readonly kept: KeptPlaces
  readonly clock: Pick<Clock, 'nowMs'>
  readonly log: (text: string) => void
}

export type KeptPlaces = {
  get<T extends Json>(key: string): Promise<T | undefined>
  put(key: string, value: Json): Promise<void>
}

export type Places = {
  /**
   * DriverError 'never' for a node that the configuration has not, or whose serial nobody knows; as NetBox said it when there is
   * nothing but NetBox to know the rack, and it is away and was never heard of this node.
   */
  place(node: NodeName): Promise<Place>
  /** The last that is known, without asking anybody. */
  rack(node: NodeName): string | undefined
  /** Asks NetBox for all nodes when it is time; its absence is said, never thrown. */
  refresh(): Promise<void>
}

/** Racks seldom move: one look in ten minutes. */
const FRESH_MS = 10 * 60_000
/** One that does not answer is not asked again at once: whoever looks at the cluster would wait for it every time. */
const AWAY_PAUSE_MS = 60_000
const NEEDED = ['site', 'room', 'rack', 'unit'] as const

type Learnt = { readonly atMs: number; readonly words: Readonly<Record<string, PlaceWords>> }
const NETBOX_KEY = 'place/netbox'
const machineKey = (node: NodeName) => `place/machine/${node}`

export function placesOf(parts: PlacesParts): Places {
  const own = new Map(parts.nodes.map((known) => [known.node, known]))
  const book = netboxBook(parts)
  const said = new Set<string>()
  const sayOnce = (text: string) => {
    if (!said.has(text)) parts.log(text)
    said.add(text)
  }
  async function told(known: KnownNode): Promise<{ all: readonly Told[]; failed: DriverError | undefined }> {
    const { node, words } = known
    const isPlaced = NEEDED.every((key) => words[key] !== undefined)
    const machine = words.serial === undefined ? await machineWords(parts, known) : {}
    const isWhole = isPlaced && (words.serial ?? machine.serial) !== undefined
    const asked = isWhole ? { words: {}, failed: undefined } : await book.ask()
    const all = [
      { from: 'the configuration', words },
      { from: 'the machine', words: machine },
      { from: 'NetBox', words: asked.words[node] ?? {} },
    ]
    return { all, failed: asked.failed }
  }
  return {
    rack: (node) => own.get(node)?.words.rack ?? book.lastKnown(node)?.rack,
    refresh: async () => {
      if (parts.nodes.some(({ words }) => words.rack === undefined)) await book.ask()
    },
    place: async (node) => {
      const configured = own.get(node)
      if (configured === undefined) throw unknownNode(node, `the configuration has no node ${node}`)
      const { all, failed } = await told(configured)
      const { words: known, contradictions } = mergePlaces(all)
      for (const one of contradictions) sayOnce(`${node}: ${one}: the first is believed`)
      if (known.rack === undefined && failed !== undefined) throw failed
      const { serial, assetTag } = known
      if (serial === undefined) {
        if (failed !== undefined) throw failed
        throw unknownNode(node, `nobody knows its serial: write it down as nodes.${node}.serial`)
      }
      const [site = 'unknown', room = 'unknown', rack = 'unknown', unit = 'unknown'] = NEEDED.map((key) => known[key])
      return { site, room, rack, unit, serial, ...(assetTag === undefined ? {} : { assetTag }) }
    },
  }
}

const unknownNode = (node: NodeName, text: string) =>
  new DriverError('inventory', `find ${node}`, { retry: 'never', text })

/** What the BMC reads off the board, if it is proven to be this node's; kept, for a BMC without its cords says nothing. */
async function machineWords(
  { identity, kept, log }: PlacesParts,
  { node, systemUuid }: KnownNode,
): Promise<PlaceWords> {
  try {
    const { serial, assetTag, systemUuid: ofBmc } = await identity(node)
    if (ofBmc.toLowerCase() !== systemUuid.toLowerCase()) {
      log(`the serial of ${node} is not believed: its BMC has system UUID ${ofBmc}, the node ${systemUuid}`)
      return {}
    }
    const words: PlaceWords = {
      ...(serial === 'unknown' ? {} : { serial }),
      ...(assetTag === undefined ? {} : { assetTag }),
    }
    await kept.put(machineKey(node), words as unknown as Json)
    return words
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    log(`the serial of ${node} was not read: ${error.message}`)
    return ((await kept.get<Json>(machineKey(node))) ?? {}) as unknown as PlaceWords
  }
}

type Asked = { readonly words: Learnt['words']; readonly failed: DriverError | undefined }

function netboxBook({ netbox, kept, clock, log }: PlacesParts) {
  let learnt: Learnt | undefined
  let away: { readonly atMs: number; readonly error: DriverError } | undefined
  const recall = async () => {
    learnt ??= (await kept.get<Json>(NETBOX_KEY)) as unknown as Learnt | undefined
    return learnt
  }
  const lastWords = (error: DriverError): Asked => ({ words: learnt?.words ?? {}, failed: error })
  async function ask(): Promise<Asked> {
    if (netbox === undefined) return { words: {}, failed: undefined }
    const nowMs = await clock.nowMs()
    await recall()
    if (learnt !== undefined && nowMs - learnt.atMs < FRESH_MS) return { words: learnt.words, failed: undefined }
    if (away !== undefined && nowMs - away.atMs < AWAY_PAUSE_MS) return lastWords(away.error)
    try {
      const words = await netbox()
      learnt = { atMs: nowMs, words }
      away = undefined
      await kept.put(NETBOX_KEY, learnt as unknown as Json)
      return { words, failed: undefined }
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      away = { atMs: nowMs, error }
      const since =
        learnt === undefined ? 'nothing of it is known' : `what it said ${ageOf(nowMs - learnt.atMs)} ago stands`
      log(`${error.message}; ${since}`)
      return lastWords(error)
    }
  }
  return { ask, lastKnown: (node: NodeName) => learnt?.words[node] }
}

const ageOf = (ms: number) => (ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`)
