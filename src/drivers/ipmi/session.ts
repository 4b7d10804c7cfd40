/** How one BMC is spoken to by `ipmitool`: cipher suite, time limits, and why no session came about. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import type { Secret } from '#domain/secret'
import { type Ran, run } from '#drivers/exec/run'
import type { BmcNotes, CipherSuite, NoteBook } from './notes.ts'
import type { GuidEncoding } from './parse.ts'
import { isRefused, type Refusal, refusalByTime, refusalIn } from './refusal.ts'
import { answersIn, scriptOf } from './script.ts'
import { sdrVersionIn } from './sdr-file.ts'

export type IpmiNode = {
  readonly host: string
  readonly port?: number
  readonly user: string
  readonly password: Secret
  /** Else 3 and 17 are tried once, and what opened is remembered. */
  readonly cipherSuite?: number
  /** How the BMC packs its GUID, where ipmitool's own guess is wrong: `doctor` shows a UUID that is not the node's. */
  readonly guidEncoding?: GuidEncoding
}

export type IpmiOptions = {
  readonly command?: readonly string[]
  readonly deadlineMs?: number
  readonly notes: NoteBook
}

export type Told = { readonly is: 'told'; readonly ran: Ran } | { readonly is: 'refused'; readonly why: Refusal }
export type ToldAll = { readonly is: 'told'; readonly answers: readonly string[] } | Extract<Told, { is: 'refused' }>

export type IpmiSession = {
  /** Resolves with whatever exit code; a session that did not come about is a value. */
  ask(doing: string, args: readonly string[]): Promise<Told>
  /** @throws DriverError where no session came about. */
  tell(doing: string, args: readonly string[]): Promise<Ran>
  /**
   * Several commands in one process, read with the copy of the sensor records, which is renewed first where it is missing, torn
   * or of another version. A copy serves for as long as firmware, number and times of the records stay.
   */
  askAll(doing: string, commands: readonly string[]): Promise<ToldAll>
  error(doing: string, why: Refusal): DriverError
  /** User and password were refused at the last call. */
  wasRefused(): boolean
}

/** A call takes 0.04 to 0.13 s; a slow BMC walks its sensors in 20 s. */
const DEADLINE_MS = 30_000
/** -N: how long one packet is waited for. -R: how often it is sent again. A dead BMC costs 4 s with 2 and 1, 18 s with 2 and 3. */
const PACKET_WAIT_S = 2
const PACKET_TRIES = 1
/** 3 opens nearly everywhere; newer BMCs have it switched off. 'asked': ipmitool asks the BMC first, which costs some of them 5 s. */
const CIPHER_SUITES: readonly CipherSuite[] = [3, 17, 'asked']
/** What Coulisse does needs no more: power on, locate LED, sensors, log (IPMI 2.0, appendix G). */
const PRIVILEGE = 'OPERATOR'
/** Before the commands asked for, in every script: by them the copy of the sensor records is judged. */
const VERSION_COMMANDS = ['mc info', 'sdr info']

const WORDS: Readonly<Record<Refusal, { retry: 'later' | 'never'; text: string }>> = {
  'no-answer': { retry: 'later', text: 'no answer' },
  credentials: { retry: 'never', text: 'the BMC refuses this user and password' },
  privilege: { retry: 'never', text: `the BMC does not let this user sign in as ${PRIVILEGE}` },
  'cipher-suite': {
    retry: 'never',
    text: 'the BMC takes none of our cipher suites: set cipherSuite in the configuration',
  },
  'sessions-full': { retry: 'later', text: 'the BMC has no session free' },
}

export function ipmiSession(node: NodeName, target: IpmiNode | undefined, options: IpmiOptions): IpmiSession {
  const { notes: book } = options
  const address = `${target?.host}:${target?.port ?? 623}`
  let notes: BmcNotes | undefined
  /** It was silent the last time, and said nothing when asked why: it is not asked why again until it answers. */
  let isSilent = false
  let isRefusedNow = false

  const error = (doing: string, why: Refusal) => new DriverError('ipmi', `${node}: ${doing}`, WORDS[why])
  async function known(): Promise<BmcNotes> {
    notes ??= await book.read(node, address)
    return notes
  }
  async function note(news: BmcNotes): Promise<void> {
    notes = { ...(await known()), ...news }
    await book.write(node, address, notes)
  }
  async function once(doing: string, suite: CipherSuite, args: readonly string[]): Promise<Ran | undefined> {
    if (target === undefined) {
      throw new DriverError('ipmi', `${node}: ${doing}`, { retry: 'never', text: 'no BMC is configured' })
    }
    try {
      return await run({
        driver: 'ipmi',
        doing: `${node}: ${doing}`,
        command: [...(options.command ?? ['ipmitool']), ...signIn(target, suite), ...args],
        env: { IPMI_PASSWORD: target.password, HOME: await book.home() },
        deadlineMs: options.deadlineMs ?? DEADLINE_MS,
      })
    } catch (cause) {
      // Past the deadline: as silent as one that never answered.
      if (cause instanceof DriverError && cause.retry === 'later') return undefined
      throw cause
    }
  }
  /** `-v` says the reason, and would change what the other commands print: so it is asked in a run of its own. */
  async function whyRefused(doing: string, suite: CipherSuite, ran: Ran): Promise<Refusal> {
    const byTime = refusalByTime(ran.tookMs, PACKET_WAIT_S * 1000)
    if (byTime === 'no-answer' && isSilent) return byTime
    const told = await once(doing, suite, ['-v', 'chassis', 'power', 'status'])
    if (told === undefined) return 'no-answer'
    // It opened after all: some session has ended in between.
    return isRefused(told.stderr) ? (refusalIn(told.stderr) ?? byTime) : 'sessions-full'
  }
  async function ask(doing: string, args: readonly string[]): Promise<Told> {
    const { cipherSuite } = await known()
    let why: Refusal = 'no-answer'
    for (const suite of suitesFor(target, cipherSuite)) {
      const ran = await once(doing, suite, args)
      if (ran === undefined) break
      if (!isRefused(ran.stderr)) {
        isSilent = false
        isRefusedNow = false
        if (suite !== cipherSuite && target?.cipherSuite === undefined) await note({ cipherSuite: suite })
        return { is: 'told', ran }
      }
      why = await whyRefused(doing, suite, ran)
      if (why !== 'cipher-suite') break
    }
    isSilent = why === 'no-answer'
    isRefusedNow = why === 'credentials'
    return { is: 'refused', why }
  }
  async function tell(doing: string, args: readonly string[]): Promise<Ran> {
    const told = await ask(doing, args)
    if (told.is === 'refused') throw error(doing, told.why)
    return told.ran
  }
  const askAll = (doing: string, commands: readonly string[]) =>
    askWithRecords({ node, book, known, note, ask }, doing, commands)
  return { ask, tell, askAll, error, wasRefused: () => isRefusedNow }
}

const signIn = (target: IpmiNode, suite: CipherSuite): readonly string[] => [
  ...['-I', 'lanplus', '-N', String(PACKET_WAIT_S), '-R', String(PACKET_TRIES), '-L', PRIVILEGE],
  ...(suite === 'asked' ? [] : ['-C', String(suite)]),
  ...['-H', target.host, '-p', String(target.port ?? 623), '-U', target.user, '-E'],
]

/** Remembered first: it may have been switched off meanwhile, by a firmware update. */
function suitesFor(target: IpmiNode | undefined, remembered: CipherSuite | undefined): readonly CipherSuite[] {
  if (target?.cipherSuite !== undefined) return [target.cipherSuite]
  if (remembered === undefined) return CIPHER_SUITES
  return [remembered, ...CIPHER_SUITES.filter((suite) => suite !== remembered)]
}

type Reader = {
  readonly node: NodeName
  readonly book: NoteBook
  known(): Promise<BmcNotes>
  note(news: BmcNotes): Promise<void>
  ask(doing: string, args: readonly string[]): Promise<Told>
}

async function askWithRecords(reader: Reader, doing: string, commands: readonly string[]): Promise<ToldAll> {
  const { node, book, known, ask } = reader
  const all = [...VERSION_COMMANDS, ...commands]
  // In a file: `exec` cannot read a pipe of ours.
  const script = await book.script(`${commands.join('+').replaceAll(/[^a-z0-9+]/g, '-')}.script`, scriptOf(all))
  const file = await book.sdrFile(node, await known())
  const told = await ask(doing, [...(file === undefined ? [] : ['-S', file]), 'exec', script])
  if (told.is === 'refused') return told
  const [mcInfo = '', sdrInfo = '', ...answers] = answersIn(told.ran.stdout, all.length)
  const version = sdrVersionIn({ mcInfo, sdrInfo })
  const { sdr } = await known()
  const isTried = sdr !== undefined && sdr.version === version && (file !== undefined || sdr.sha256 === '')
  if (version === undefined || isTried) return { is: 'told', answers }
  await copyRecords(reader, version)
  // Read without a copy the answer is as good, and only slower; read with the copy of other records it is of no use.
  if (file === undefined) return { is: 'told', answers }
  const again = await ask(doing, ['exec', script])
  return again.is === 'refused' ? again : { is: 'told', answers: answersIn(again.ran.stdout, all.length).slice(2) }
}

async function copyRecords({ node, book, note, ask }: Reader, version: string): Promise<void> {
  const dumped = await book.dumpFile(node)
  const told = await ask('copy its sensor records', ['sdr', 'dump', dumped])
  if (told.is === 'told') await note({ sdr: await book.keepSdr(node, version, dumped) })
}
