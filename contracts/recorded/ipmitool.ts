/**
 * Answers like `ipmitool` did to a real BMC, from recordings/ipmi: `node ipmitool.ts STATE-FILE <ipmitool's arguments>`.
 * The state file says how far the machine's story has gone; tests write it.
 */
import { readFileSync, writeFileSync } from 'node:fs'

export type IpmiStory = {
  power: 'on' | 'off'
  /** Edges of FAN3 in the log so far: odd means that it stands still. */
  edges: number
  clearedCount: number
  silent: boolean
  /** What IPMI_PASSWORD must be. */
  password: string
  /** Absent: 3. */
  cipherSuite?: number
  /** All of them are taken by others. */
  sessionsFull?: boolean
  /** Printed in place of every answer. */
  garbage?: string
  /** Absent: the recorded one. */
  firmware?: string
  /** `sdr dump` is cut after so many bytes. */
  dumpBytes?: number
  knowsNoForce?: boolean
  /** Every command line that was run. */
  ran?: string[]
}

const RECORDS_PER_EDGE = 3
/** A packet that nobody answers is waited for, twice: of that the driver's limit of 2 s must be seen to pass. */
const DEAD_MS = 2_100

const recording = (name: string) => readFileSync(new URL(`../recordings/ipmi/${name}.txt`, import.meta.url), 'utf8')
const words = (line: string) => line.trim().split(/\s+/)

function answer(story: IpmiStory, asked: string): string | 'fails' {
  const fanStopped = story.edges % 2 === 1
  const lines = recording('sel-elist-after-flap')
    .split('\n')
    .slice(0, story.edges * RECORDS_PER_EDGE)
  switch (true) {
    case asked === 'chassis power status':
      return recording('chassis-power-status').replace('is on', `is ${story.power}`)
    case asked === 'chassis power on':
      story.power = 'on'
      return 'Chassis Power Control: Up/On\n'
    case asked === 'chassis power soft':
      story.power = 'off'
      return 'Chassis Power Control: Soft\n'
    case asked === 'chassis status':
      return recording('chassis-status')
    case asked === 'chassis identify force' && story.knowsNoForce === true:
      return 'fails'
    case asked.startsWith('chassis identify'):
      return recording('chassis-identify-5').replace('5 seconds', words(asked)[2] === '0' ? 'off' : 'indefinite')
    case asked === 'mc guid':
      return recording('mc-guid')
    case asked === 'mc info':
      return recording('mc-info').replace('9.08', story.firmware ?? '9.08')
    case asked === 'fru print 0':
      return recording('fru-print-none')
    case asked === 'sdr info':
      return recording('sdr-info')
    case asked === 'sdr elist':
      return recording(fanStopped ? 'sdr-elist-fan3-stopped' : 'sdr-elist')
    case asked === 'sel time get':
      return '11/22/26 00:00:00 UTC\n'
    case asked === 'sel info':
      return selInfo(story, lines.length)
    case asked.startsWith('sel elist last '):
      return lines.length === 0 ? recording('sel-elist') : `${lines.slice(-Number(words(asked)[3])).join('\n')}\n`
    case asked === 'user list 14':
      return recording('user-list')
    default:
      return ''
  }
}

function selInfo(story: IpmiStory, entries: number): string {
  const info = recording('sel-info').replace(/(Entries\s+: )\d+/, `$1${entries}`)
  return story.clearedCount === 0
    ? info
    : info.replace(/(Last Del Time\s+: ).*/, `$111/22/26 08:2${story.clearedCount}:00 UTC`)
}

/** What one command prints; `exec` runs a file of them, and `echo` is one. */
function perform(story: IpmiStory, asked: readonly string[]): void {
  const [first = '', ...rest] = asked
  if (first === 'exec') {
    for (const line of readFileSync(rest[0] ?? '', 'utf8').split('\n')) if (line !== '') perform(story, words(line))
    return
  }
  if (first === 'echo') {
    process.stdout.write(`${rest.join(' ')} \n`)
    return
  }
  if (first === 'sdr' && rest[0] === 'dump') {
    writeFileSync(rest[1] ?? '', sdrDump().subarray(0, story.dumpBytes))
    return
  }
  const told = story.garbage ?? answer(story, asked.join(' '))
  process.exitCode = told === 'fails' ? 1 : 0
  if (told !== 'fails') process.stdout.write(told)
}

/** As many records as `sdr info` counts: a header of five bytes each, the last of them the length. */
function sdrDump(): Buffer {
  const count = Number(/Record Count\s*: (\d+)/.exec(recording('sdr-info'))?.[1])
  return Buffer.concat(Array.from({ length: count }, (_, id) => Buffer.from([id + 1, 0, 0x51, 1, 3, 1, 2, 3])))
}

/** What a run with -v prints where no session comes about; undefined: it does. */
function refused(story: IpmiStory, suite: string | undefined): string | undefined {
  if (story.silent) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DEAD_MS)
    return recording('no-answer-verbose')
  }
  const otherSuite = recording('cipher-suite-verbose')
  if (suite !== undefined && Number(suite) !== (story.cipherSuite ?? 3)) return otherSuite
  if (story.sessionsFull) {
    return otherSuite.replace('invalid authentication algorithm', 'insufficient resources for session')
  }
  return process.env.IPMI_PASSWORD === story.password ? undefined : recording('wrong-password-verbose')
}

const [, , file = '', ...args] = process.argv
const story = JSON.parse(readFileSync(file, 'utf8')) as IpmiStory
const asked = args.slice(args.indexOf('-E') + 1)
const isVerbose = asked[0] === '-v'
if (isVerbose || asked[0] === '-S') asked.splice(0, isVerbose ? 1 : 2)
story.ran = [...(story.ran ?? []), asked.join(' ')]
const why = refused(story, args.includes('-C') ? args[args.indexOf('-C') + 1] : undefined)
if (why === undefined) perform(story, asked)
else {
  process.stderr.write(isVerbose ? why : recording('no-answer'))
  process.exitCode = 1
}
writeFileSync(file, JSON.stringify(story))
