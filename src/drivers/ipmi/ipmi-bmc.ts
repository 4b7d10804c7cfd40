/** BMCs by IPMI 2.0 through `ipmitool`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Secret } from '#domain/secret'
import { type Ran, run } from '#drivers/exec/run'
import type { Bmc, FanReading, Power } from '#ports/bmc'
import type { Clock } from '#ports/clock'
import {
  decodeGuid,
  type GuidEncoding,
  parseFruSerial,
  parseGuid,
  parsePower,
  parseRestorePolicy,
  parseSdrElist,
  parseSelElist,
  parseSelInfo,
  type Sensor,
} from './parse.ts'
import { readLog, toSignals } from './sel-cursor.ts'

export type IpmiNode = {
  readonly host: string
  readonly port?: number
  readonly user: string
  readonly password: Secret
  /** 3 (the default) or 17; without it some BMCs cost 5 s a call. */
  readonly cipherSuite?: number
  /** How the BMC packs its GUID, where ipmitool's own guess is wrong: `doctor` shows a UUID that is not the node's. */
  readonly guidEncoding?: GuidEncoding
}

export type IpmiConfig = {
  readonly nodes: Readonly<Record<string, IpmiNode>>
  readonly clock: Clock
  readonly command?: readonly string[]
  readonly deadlineMs?: number
}

/** A call takes 0.04 to 0.13 s; a slow BMC walks its sensors in 20 s. */
const DEADLINE_MS = 30_000
/** -N: how long one packet is waited for. -R: how often it is sent again. A dead BMC costs 4 s with 2 and 1, 18 s with 2 and 3. */
const PACKET_WAIT_S = 2
const PACKET_TRIES = 1
const POWER_LOOKS_LIMIT = 20
const POWER_LOOKS_APART_MS = 500

const UNREACHABLE = 'no answer'

type Ipmi = (doing: string, args: readonly string[]) => Promise<Ran>

export function ipmiBmc(config: IpmiConfig): Bmc {
  const of = (node: NodeName) => ipmiOf(config, node)
  return {
    identity: async (node) => {
      const guid = await guidOf(of(node), config.nodes[node]?.guidEncoding)
      const fru = await of(node)('read the serial number', ['fru', 'print', '0'])
      return { systemUuid: guid ?? 'unknown', serial: parseFruSerial(fru.stdout) ?? 'unknown' }
    },
    power: (node) => power(of(node)),
    powerOn: (node) => powerOn(node, of(node)),
    setLocate: (node, on) => setLocate(node, of(node), on),
    fans: async (node) => (await sensors(of(node))).filter(({ kind }) => kind === 'fan').map(toFan),
    powerRestorePolicy: async (node) => {
      const status = await of(node)('read the chassis status', ['chassis', 'status'])
      return parseRestorePolicy(status.stdout)
    },
    hardware: async (node) => ({
      fans: (await sensors(of(node)))
        .filter(({ kind, state }) => kind === 'fan' && state !== 'absent')
        .map((fan) => fan.name),
    }),
    signals: (node, cursor) => signals(config, node, cursor),
  }
}

function ipmiOf(config: IpmiConfig, node: NodeName): Ipmi {
  const target = config.nodes[node]
  return async (doing, args) => {
    if (target === undefined) {
      throw new DriverError('ipmi', `${node}: ${doing}`, { retry: 'never', text: 'no BMC is configured' })
    }
    const ran = await run({
      driver: 'ipmi',
      doing: `${node}: ${doing}`,
      command: [
        ...(config.command ?? ['ipmitool']),
        ...[
          '-I',
          'lanplus',
          '-C',
          String(target.cipherSuite ?? 3),
          '-N',
          String(PACKET_WAIT_S),
          '-R',
          String(PACKET_TRIES),
        ],
        ...['-H', target.host, '-p', String(target.port ?? 623), '-U', target.user, '-E'],
        ...args,
      ],
      env: { IPMI_PASSWORD: target.password },
      deadlineMs: config.deadlineMs ?? DEADLINE_MS,
    })
    if (/Unable to establish/.test(ran.stderr)) throw noSession(node, doing, ran)
    return ran
  }
}

/** Wrong password and dead BMC print the same line; a BMC that answers refuses at once, one that is dead is waited for. */
function noSession(node: NodeName, doing: string, ran: Ran): DriverError {
  const answered = ran.tookMs < PACKET_WAIT_S * 1000
  return answered
    ? new DriverError('ipmi', `${node}: ${doing}`, { retry: 'never', text: 'the BMC refuses this user and password' })
    : new DriverError('ipmi', `${node}: ${doing}`, { retry: 'later', text: UNREACHABLE })
}

const failed = (node: NodeName, doing: string, ran: Ran) =>
  new DriverError('ipmi', `${node}: ${doing}`, {
    retry: 'later',
    text: `${ran.stderr.trim().split('\n').at(-1) ?? ''} (exit ${ran.code})`,
  })

/** Where the encoding is known the bytes are read as they are: ipmitool 1.8.19 takes `mc guid rfc4122` for its own guess. */
async function guidOf(ipmi: Ipmi, encoding: GuidEncoding | undefined): Promise<string | undefined> {
  const doing = 'ask the BMC who it is'
  if (encoding === undefined) return parseGuid((await ipmi(doing, ['mc', 'guid'])).stdout)
  return decodeGuid((await ipmi(doing, ['mc', 'guid', 'dump'])).stdout, encoding)
}

async function power(ipmi: Ipmi): Promise<Power> {
  try {
    const is = parsePower((await ipmi('read the power', ['chassis', 'power', 'status'])).stdout)
    return is === undefined ? { is: 'unknown', reason: 'the BMC does not say' } : { is }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { is: 'unknown', reason: error.message }
  }
}

async function powerOn(node: NodeName, ipmi: Ipmi): Promise<void> {
  const doing = 'switch the power on'
  if ((await power(ipmi)).is === 'on') return
  const ran = await ipmi(doing, ['chassis', 'power', 'on'])
  for (let look = 1; look <= POWER_LOOKS_LIMIT; look++) {
    if ((await power(ipmi)).is === 'on') return
    await sleep(POWER_LOOKS_APART_MS)
  }
  if (ran.code !== 0) throw failed(node, doing, ran)
  throw new DriverError('ipmi', `${node}: ${doing}`, { retry: 'later', text: 'it is still off' })
}

/** Forced, since a plain identify goes out by itself; 255 s where the BMC knows no forced one: asserted again by who wants it on. */
async function setLocate(node: NodeName, ipmi: Ipmi, on: boolean): Promise<void> {
  const doing = on ? 'light the locate LED' : 'put the locate LED out'
  const ran = await ipmi(doing, ['chassis', 'identify', on ? 'force' : '0'])
  if (ran.code === 0) return
  const again = on ? await ipmi(doing, ['chassis', 'identify', '255']) : ran
  if (again.code !== 0) throw failed(node, doing, again)
}

async function sensors(ipmi: Ipmi): Promise<readonly Sensor[]> {
  return parseSdrElist((await ipmi('read the sensors', ['sdr', 'elist'])).stdout)
}

function toFan({ name, state, value }: Sensor): FanReading {
  const rpm = value ?? 'unknown'
  if (state === 'absent' || state === 'unreadable') return { part: name, state, rpm }
  // Too fast is out of band too; the port has one word for it.
  return { part: name, state: state === 'ok' ? 'ok' : 'low', rpm }
}

async function signals(config: IpmiConfig, node: NodeName, cursor: string) {
  const ipmi = ipmiOf(config, node)
  const receivedAtMs = await config.clock.nowMs()
  try {
    const log = await readLog(cursor, {
      info: async () => parseSelInfo((await ipmi('read the log’s state', ['sel', 'info'])).stdout),
      last: async (count) =>
        parseSelElist((await ipmi('read the log', ['sel', 'elist', 'last', String(count)])).stdout),
    })
    const present = await sensors(ipmi)
    return { signals: toSignals({ node, receivedAtMs, log, present }), cursor: log.cursor }
  } catch (error) {
    if (!(error instanceof DriverError) || error.retry === 'never') throw error
    const unreachable = { is: 'bmc', atMs: receivedAtMs, receivedAtMs, node, event: 'unreachable' } as const
    return { signals: [unreachable], cursor: cursor.startsWith('!') ? cursor : `!${cursor}` }
  }
}
