/** BMCs by IPMI 2.0 through `ipmitool`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Ran } from '#drivers/exec/run'
import type { Bmc, FanReading, Power } from '#ports/bmc'
import type { Clock } from '#ports/clock'
import { noteBook } from './notes.ts'
import {
  decodeGuid,
  type GuidEncoding,
  parseFruAssetTag,
  parseFruSerial,
  parseGuid,
  parsePower,
  parseRestorePolicy,
  parseSdrElist,
  parseSelElist,
  parseSelInfo,
  type Sensor,
} from './parse.ts'
import { readLog, TAIL_RECORDS, toSignals } from './sel-cursor.ts'
import { type IpmiNode, type IpmiSession, ipmiSession } from './session.ts'

export type IpmiConfig = {
  readonly nodes: Readonly<Record<string, IpmiNode>>
  readonly clock: Clock
  /** Where cipher suites and sensor records are kept, with rights for us alone. Absent: until `close`. */
  readonly cacheDir?: string
  readonly command?: readonly string[]
  readonly deadlineMs?: number
}

const POWER_LOOKS_LIMIT = 20
const POWER_LOOKS_APART_MS = 500
/** A watch that goes on asking with a wrong password locks the account at many BMCs. People and acts ask at once. */
const REFUSED_PAUSE_MS = 600_000
/** The longest that a BMC knows without `force`. */
const IDENTIFY_S = '255'

type Known = { readonly session: IpmiSession; refusedAtMs?: number; readonly encoding: GuidEncoding | undefined }

export function ipmiBmc(config: IpmiConfig): Bmc & { close(): Promise<void> } {
  const notes = noteBook(config.cacheDir)
  const all = new Map<string, Known>()
  function known(node: NodeName): Known {
    const target = config.nodes[node]
    const one = all.get(node) ?? {
      session: ipmiSession(node, target, { ...config, notes }),
      encoding: target?.guidEncoding,
    }
    all.set(node, one)
    return one
  }
  const of = (node: NodeName) => known(node).session
  return {
    identity: async (node) => {
      const guid = await guidOf(of(node), known(node).encoding)
      const fru = await of(node).tell('read the serial number', ['fru', 'print', '0'])
      const assetTag = parseFruAssetTag(fru.stdout)
      return {
        systemUuid: guid ?? 'unknown',
        serial: parseFruSerial(fru.stdout) ?? 'unknown',
        ...(assetTag === undefined ? {} : { assetTag }),
      }
    },
    power: (node) => power(of(node)),
    powerOn: (node) => powerOn(node, of(node)),
    softOff: async (node) => {
      const doing = 'order it to shut down'
      const ran = await of(node).tell(doing, ['chassis', 'power', 'soft'])
      if (ran.code !== 0 && (await power(of(node))).is !== 'off') throw failed(node, doing, ran)
    },
    setLocate: (node, on) => setLocate(node, of(node), on),
    fans: async (node) => (await sensorsOf(node, of(node))).filter(({ kind }) => kind === 'fan').map(toFan),
    powerRestorePolicy: async (node) => {
      const status = await of(node).tell('read the chassis status', ['chassis', 'status'])
      return parseRestorePolicy(status.stdout)
    },
    hardware: async (node) => ({
      fans: (await sensorsOf(node, of(node)))
        .filter(({ kind, state }) => kind === 'fan' && state !== 'absent')
        .map((fan) => fan.name),
    }),
    signals: (node, cursor) => signals(config, node, known(node), cursor),
    close: () => notes.close(),
  }
}

const failed = (node: NodeName, doing: string, ran: Ran) =>
  new DriverError('ipmi', `${node}: ${doing}`, {
    retry: 'later',
    text: `${ran.stderr.trim().split('\n').at(-1) ?? ''} (exit ${ran.code})`,
  })

/** A BMC that is reached and makes no sense: busy with an update, or no BMC at all. */
const senseless = (node: NodeName, doing: string) =>
  new DriverError('ipmi', `${node}: ${doing}`, { retry: 'later', text: 'the BMC answered nothing that we can read' })

/** Where the encoding is known the bytes are read as they are: ipmitool 1.8.19 takes `mc guid rfc4122` for its own guess. */
async function guidOf(ipmi: IpmiSession, encoding: GuidEncoding | undefined): Promise<string | undefined> {
  const doing = 'ask the BMC who it is'
  if (encoding === undefined) return parseGuid((await ipmi.tell(doing, ['mc', 'guid'])).stdout)
  return decodeGuid((await ipmi.tell(doing, ['mc', 'guid', 'dump'])).stdout, encoding)
}

async function power(ipmi: IpmiSession): Promise<Power> {
  try {
    const is = parsePower((await ipmi.tell('read the power', ['chassis', 'power', 'status'])).stdout)
    return is === undefined ? { is: 'unknown', reason: 'the BMC does not say' } : { is }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { is: 'unknown', reason: error.message }
  }
}

async function powerOn(node: NodeName, ipmi: IpmiSession): Promise<void> {
  const doing = 'switch the power on'
  if ((await power(ipmi)).is === 'on') return
  const ran = await ipmi.tell(doing, ['chassis', 'power', 'on'])
  for (let look = 1; look <= POWER_LOOKS_LIMIT; look++) {
    if ((await power(ipmi)).is === 'on') return
    await sleep(POWER_LOOKS_APART_MS)
  }
  if (ran.code !== 0) throw failed(node, doing, ran)
  throw new DriverError('ipmi', `${node}: ${doing}`, { retry: 'later', text: 'it is still off' })
}

/** Forced, since a plain identify goes out by itself; 255 s where the BMC knows no forced one: asserted again by who wants it on. */
async function setLocate(node: NodeName, ipmi: IpmiSession, on: boolean): Promise<void> {
  const doing = on ? 'light the locate LED' : 'put the locate LED out'
  const ran = await ipmi.tell(doing, ['chassis', 'identify', on ? 'force' : '0'])
  if (ran.code === 0) return
  const again = on ? await ipmi.tell(doing, ['chassis', 'identify', IDENTIFY_S]) : ran
  if (again.code !== 0) throw failed(node, doing, again)
}

async function sensorsOf(node: NodeName, ipmi: IpmiSession): Promise<readonly Sensor[]> {
  const doing = 'read the sensors'
  const told = await ipmi.askAll(doing, ['sdr elist'])
  if (told.is === 'refused') throw ipmi.error(doing, told.why)
  return toSensors(node, doing, told.answers[0] ?? '')
}

/** Every BMC has sensors: none at all is an answer that was cut. */
function toSensors(node: NodeName, doing: string, text: string): readonly Sensor[] {
  const sensors = parseSdrElist(text)
  if (sensors.length === 0) throw senseless(node, doing)
  return sensors
}

function toFan({ name, state, value }: Sensor): FanReading {
  const rpm = value ?? 'unknown'
  if (state === 'absent' || state === 'unreadable') return { part: name, state, rpm }
  // Too fast is out of band too; the port has one word for it.
  return { part: name, state: state === 'ok' ? 'ok' : 'low', rpm }
}

/** One process for log and sensors; a second one when more was logged than the tail shows. */
async function signals(config: IpmiConfig, node: NodeName, known: Known, cursor: string) {
  const { session } = known
  const receivedAtMs = await config.clock.nowMs()
  if (known.refusedAtMs !== undefined && receivedAtMs < known.refusedAtMs + REFUSED_PAUSE_MS) {
    throw session.error(POLLING, 'credentials')
  }
  delete known.refusedAtMs
  try {
    const { look, present } = await poll(node, session)
    const log = await readLog(cursor, look, async (count) =>
      parseSelElist((await session.tell('read the log', ['sel', 'elist', 'last', String(count)])).stdout),
    )
    return { signals: toSignals({ node, receivedAtMs, log, present }), cursor: log.cursor }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    if (session.wasRefused()) known.refusedAtMs = receivedAtMs
    if (error.retry === 'never') throw error
    // One that answers nonsense, or has no session free, tells as little as one that is silent.
    const unreachable = { is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event: 'unreachable' } as const
    return { signals: [unreachable], cursor: cursor.startsWith('!') ? cursor : `!${cursor}` }
  }
}

const POLLING = 'read log and sensors'

async function poll(node: NodeName, session: IpmiSession) {
  const told = await session.askAll(POLLING, ['sel info', `sel elist last ${TAIL_RECORDS}`, 'sdr elist'])
  if (told.is === 'refused') throw session.error(POLLING, told.why)
  const [selInfo = '', tail = '', elist = ''] = told.answers
  const info = parseSelInfo(selInfo)
  if (info === undefined) throw senseless(node, 'read the log’s state')
  return { look: { info, tail: parseSelElist(tail) }, present: toSensors(node, POLLING, elist) }
}
