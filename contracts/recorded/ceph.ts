/**
 * Answers like `ceph` did of a real cluster of four hosts, from recordings/ceph: `node ceph.ts STATE-FILE <ceph's arguments>`.
 * The state file holds what commands changed; the rest is as it was recorded.
 */
import { readFileSync, writeFileSync } from 'node:fs'

export type CephStory = {
  noout: boolean
  keys: Record<string, string>
  /** OSDs that were told to stop. */
  down: number[]
  /** How often a command hangs before one is answered: its monitor was cut off. */
  hangsLeft: number
  /** How often Ceph has not heard of a PG yet when it is asked whether OSDs may stop: a pool was just made, a mgr just changed. */
  unsureLeft: number
}

type Answer = { readonly code: number; readonly stdout?: string; readonly stderr?: string }

const HOST_OSDS = '2 3'
const recording = (name: string) => readFileSync(new URL(`../recordings/ceph/${name}.json`, import.meta.url), 'utf8')
const recorded = (name: string): Answer => ({ code: 0, stdout: recording(name) })
const yes: Answer = { code: 0 }

function answer(story: CephStory, words: readonly string[], input: () => string): Answer {
  const [module, verb, ...rest] = words
  if (module === 'config-key') return configKey(story, verb ?? '', { key: rest[0] ?? '', input })
  if (module === 'osd' && (verb === 'set-group' || verb === 'unset-group')) return group(story, verb, rest)
  if (module === 'osd' && verb === 'ok-to-stop') return okToStop(story, rest.join(' '))
  switch (words.join(' ')) {
    case 'status':
      return recorded(story.down.length === 0 ? 'status.ok' : 'status.noout_down')
    case 'osd dump':
      return { code: 0, stdout: osdDump(story) }
    case 'osd ls':
      return { code: 0, stdout: '\n[0,1,2,3,4,5,6,7]\n' }
    case 'osd tree':
      return recorded('osd_tree.ok')
    case 'osd crush rule dump':
      return recorded('crush_rule')
    case 'quorum_status':
      return recorded('quorum_status')
    case 'mgr stat':
      return recorded('mgr_stat')
    case 'node ls':
      return recorded('node_ls')
    default:
      return { code: 22, stderr: 'no valid command found; 10 closest matches:\nError EINVAL: invalid command\n' }
  }
}

function osdDump({ noout, down }: CephStory): string {
  const dump = JSON.parse(recording(noout ? 'osd_dump.noout_group' : 'osd_dump.ok')) as {
    osds: { osd: number; up: number }[]
  }
  for (const osd of dump.osds) if (down.includes(osd.osd)) osd.up = 0
  return `\n${JSON.stringify(dump)}\n`
}

function okToStop(story: CephStory, osds: string): Answer {
  if (story.unsureLeft > 0) {
    story.unsureLeft--
    return { code: 11, stderr: 'Error EAGAIN: 1 pgs have unknown state; cannot draw any conclusions\n' }
  }
  // Ceph says yes to OSDs that it does not know.
  if (osds === '7077')
    return { code: 0, stdout: '\n{"ok_to_stop":true,"osds":[7077],"num_ok_pgs":0,"num_not_ok_pgs":0}\n' }
  if (osds === HOST_OSDS) return recorded('oktostop.yes')
  return {
    code: 16,
    stdout: recording('oktostop.no'),
    stderr: 'Error EBUSY: unsafe to stop osd(s) at this time (39 PGs are or would become offline)\n',
  }
}

function group(story: CephStory, verb: string, [flag, host]: readonly string[]): Answer {
  if (flag !== 'noout') return { code: 13, stderr: 'Error EACCES: access denied\n' }
  if (host !== 'node2') {
    const stderr = `Error EINVAL: unable to parse osd id or crush node or device class: "${host}". \n`
    return { code: 22, stderr }
  }
  story.noout = verb === 'set-group'
  return yes
}

function configKey(story: CephStory, verb: string, { key, input }: { key: string; input: () => string }): Answer {
  const value = story.keys[key]
  if (verb === 'get') return value === undefined ? { code: 2, stderr: 'Error ENOENT: \n' } : { code: 0, stdout: value }
  if (verb === 'set') story.keys[key] = input()
  else delete story.keys[key]
  return { code: 0, stderr: verb === 'set' ? `set ${key}\n` : 'key deleted\n' }
}

const [, , file = '', ...args] = process.argv
const story = JSON.parse(readFileSync(file, 'utf8')) as CephStory
const words = args.filter((word, index) => word !== '--format' && args[index - 1] !== '--format')
if (story.hangsLeft > 0) {
  writeFileSync(file, JSON.stringify({ ...story, hangsLeft: story.hangsLeft - 1 }))
  setInterval(() => undefined, 60_000)
} else if (words[0] === 'stop-osd') {
  writeFileSync(file, JSON.stringify({ ...story, down: [...story.down, Number(words[1])] }))
} else {
  const before = JSON.stringify(story)
  const input = () => readFileSync(0, 'utf8')
  // Without a command it reads commands, a line each.
  const commands =
    words.length > 0
      ? [words]
      : input()
          .split('\n')
          .filter(Boolean)
          .map((line) => line.split(' '))
  for (const command of commands) {
    const { code, stdout, stderr } = answer(story, command, input)
    process.stdout.write(stdout ?? '')
    process.stderr.write(stderr ?? '')
    process.exitCode = words.length > 0 ? code : 0
  }
  // Looks run side by side: only a change is written.
  if (JSON.stringify(story) !== before) writeFileSync(file, JSON.stringify(story))
}
