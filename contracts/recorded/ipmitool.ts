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
}

const RECORDS_PER_EDGE = 3

const recording = (name: string) => readFileSync(new URL(`../recordings/ipmi/${name}.txt`, import.meta.url), 'utf8')

function answer(story: IpmiStory, words: readonly string[]): string {
  const asked = words.join(' ')
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
    case asked === 'chassis status':
      return recording('chassis-status')
    case asked.startsWith('chassis identify'):
      return recording('chassis-identify-5').replace('5 seconds', words[2] === '0' ? 'off' : 'indefinite')
    case asked === 'mc guid':
      return recording('mc-guid')
    case asked === 'fru print 0':
      return recording('fru-print-none')
    case asked === 'sdr elist':
      return recording(fanStopped ? 'sdr-elist-fan3-stopped' : 'sdr-elist')
    case asked === 'sel info':
      return selInfo(story, lines.length)
    case asked.startsWith('sel elist last '):
      return lines.length === 0 ? recording('sel-elist') : `${lines.slice(-Number(words[3])).join('\n')}\n`
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

const [, , file = '', ...args] = process.argv
const story = JSON.parse(readFileSync(file, 'utf8')) as IpmiStory
if (story.silent || process.env.IPMI_PASSWORD !== story.password) {
  // A dead BMC is waited for; a wrong password is refused at once: the same words.
  if (story.silent) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_100)
  process.stderr.write(recording(story.silent ? 'no-answer' : 'wrong-password'))
  process.exitCode = 1
} else {
  process.stdout.write(answer(story, args.slice(args.indexOf('-E') + 1)))
  writeFileSync(file, JSON.stringify(story))
}
