/** What the `ceph` command answers in the simulated world: the arguments that our driver uses, the forms of a real 16.2. */
import { DriverError } from '#domain/driver-error'
import type { NodeName } from '#domain/ids'
import { askOkToStop, cephOf } from '#lab/world/ceph'
import * as commands from '#lab/world/commands'
import { consultApi } from '#lab/world/queries'
import type { World, WorldCeph } from '#lab/world/state'
import type { Answer } from '#lab/world/surface'
import { crushRules, mgrStat, nodeLs, osdDump, osdTree, quorumStatus, status, versions } from './maps.ts'

export type CliAnswer = {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly delayMs: number
}

const EPERM = 1
const ENOENT = 2
const EACCES = 13
const EBUSY = 16
const EINVAL = 22
const EFBIG = 27
/** `mon_config_key_max_entry_size`, as Ceph has it by default. */
const KEY_BYTES_LIMIT = 65_536

const say = (code: number, stdout: string, stderr = ''): CliAnswer => ({ code, stdout, stderr, delayMs: 0 })
const json = (value: unknown) => say(0, `\n${JSON.stringify(value)}\n`)
const error = (code: number, name: string, text: string) => say(code, '', `Error ${name}: ${text}\n`)

const LOOKS: ReadonlySet<string> = new Set(['get', 'dump', 'ls', 'tree', 'stat', 'ok-to-stop'])
const isLook = (words: readonly string[]) => words.some((word) => LOOKS.has(word)) || words.length === 1

/** Without a command `ceph` reads commands, a line each; refusals stand in standard error, and the exit code is 0 all the same. */
export function answerCeph(world: World, args: readonly string[], input: string): CliAnswer {
  const words = withoutOptions(args)
  if (words.length > 0) return answerOne(world, words, input)
  const answers = input
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => answerOne(world, line.split(' '), ''))
  return {
    code: answers.find(({ code }) => code === EPERM)?.code ?? 0,
    stdout: answers.map(({ stdout }) => stdout).join(''),
    stderr: answers.map(({ stderr }) => stderr).join(''),
    delayMs: answers.reduce((sum, { delayMs }) => sum + delayMs, 0),
  }
}

/** Every call goes through the faults of the way first; a command whose answer is lost has its effect all the same. */
function answerOne(world: World, words: readonly string[], input: string): CliAnswer {
  const verdict = consultApi(world, { api: 'ceph', method: isLook(words) ? 'GET' : 'PUT', path: `/${words.join('/')}` })
  if (verdict.is === 'error') return say(EPERM, '', TIMED_OUT)
  const answer = obey(world, words, input)
  if (verdict.is === 'answer-lost') return say(EPERM, '', TIMED_OUT)
  return { ...answer, delayMs: verdict.delayMs }
}

const TIMED_OUT = '[errno 110] RADOS timed out (error connecting to the cluster)\n'
const NO_CONF =
  "Error initializing cluster client: ObjectNotFound('RADOS object not found (error calling conf_read_file)')\n"
const WITH_VALUE: ReadonlySet<string> = new Set(['--format', '--conf', '--keyring', '--name', '--in-file'])

const withoutOptions = (args: readonly string[]) =>
  args.filter((word, index) => !WITH_VALUE.has(word) && !WITH_VALUE.has(args[index - 1] ?? ''))

function obey(world: World, words: readonly string[], input: string): CliAnswer {
  const ceph = cephOf(world)
  if (ceph === undefined) return say(EPERM, '', NO_CONF)
  if (commands.monitorsAway(world)) return say(EPERM, '', TIMED_OUT)
  const [module, verb = '', ...rest] = words
  if (module === 'config-key') return configKey(world, ceph, { verb, key: rest[0] ?? '', input })
  if (module === 'osd' && (verb === 'set-group' || verb === 'unset-group')) return group(world, ceph, verb, rest)
  if (module === 'osd' && verb === 'ok-to-stop') return okToStop(world, ceph, rest.map(Number))
  // Other people's keys: not ours to read.
  if (module === 'auth') return error(EACCES, 'EACCES', 'access denied')
  if (module === 'mgr' && verb === 'fail') return mgrFail(world, ceph, rest[0] ?? '')
  // Not Ceph's word: `systemctl stop ceph-osd@7` on the node, which the lab has no shell of.
  if (module === 'stop-osd') return stopOsd(world, ceph, Number(verb))
  return map(world, ceph, words.join(' '))
}

function map(world: World, ceph: WorldCeph, asked: string): CliAnswer {
  switch (asked) {
    case 'status':
      return json(status(world, ceph))
    case 'osd dump':
      return json(osdDump(ceph))
    case 'osd ls':
      return json(ceph.osds.map(({ id }) => id))
    case 'osd tree':
      return json(osdTree(ceph))
    case 'osd crush rule dump':
      return json(crushRules(ceph))
    case 'quorum_status':
      return json(quorumStatus(ceph))
    case 'mgr stat':
      return json(mgrStat(ceph))
    case 'node ls':
      return json(nodeLs(ceph))
    case 'versions':
      return json(versions(ceph))
    case 'config get mon mon_osd_down_out_interval':
      return say(0, '600\n')
    case 'config get mon mon_config_key_max_entry_size':
      return say(0, `${KEY_BYTES_LIMIT}\n`)
    default:
      return say(EINVAL, '', 'no valid command found\nError EINVAL: invalid command\n')
  }
}

/** As recorded: exit 16 and the JSON all the same; OSDs that nobody knows are "ok". */
function okToStop(world: World, ceph: WorldCeph, osds: readonly number[]): CliAnswer {
  if (!osds.some((osd) => ceph.osds.some(({ id }) => id === osd))) {
    return json({ ok_to_stop: true, osds, num_ok_pgs: 0, num_not_ok_pgs: 0 })
  }
  const { ok, badPgs } = askOkToStop(world, osds)
  const total = ceph.placementGroups.total
  if (ok) return json({ ok_to_stop: true, osds, num_ok_pgs: total, num_not_ok_pgs: 0 })
  const bad_become_inactive = Array.from({ length: badPgs }, (_, pg) => `1.${pg.toString(16)}`)
  const { stdout } = json({
    ok_to_stop: false,
    osds,
    num_ok_pgs: total - badPgs,
    num_not_ok_pgs: badPgs,
    bad_become_inactive,
  })
  const text = `unsafe to stop osd(s) at this time (${badPgs} PGs are or would become offline)`
  return say(EBUSY, stdout, `Error EBUSY: ${text}\n`)
}

function group(world: World, ceph: WorldCeph, verb: string, [flag = '', host = '']: readonly string[]): CliAnswer {
  // Our cephx user may set noout and nothing else.
  if (flag !== 'noout') return error(EACCES, 'EACCES', 'access denied')
  if (!ceph.osds.some((osd) => osd.host === host)) {
    return error(EINVAL, 'EINVAL', `unable to parse osd id or crush node or device class: "${host}". `)
  }
  const change = verb === 'set-group' ? commands.setFlag : commands.clearFlag
  return outcome(change(world, { name: flag, host: host as NodeName }, 'us'), '')
}

type KeyCall = { readonly verb: string; readonly key: string; readonly input: string }

function configKey(world: World, ceph: WorldCeph, { verb, key, input }: KeyCall): CliAnswer {
  if (!key.startsWith('coulisse/lease/')) return error(EACCES, 'EACCES', 'access denied')
  const value = ceph.configKeys[key]
  if (verb === 'get') return value === undefined ? error(ENOENT, 'ENOENT', '') : say(0, value)
  if (verb === 'set' && Buffer.byteLength(input) > KEY_BYTES_LIMIT) {
    return error(
      EFBIG,
      'EFBIG',
      `entry size limited to ${KEY_BYTES_LIMIT} bytes. Use 'mon config key max entry size' to manually adjust`,
    )
  }
  if (verb === 'set') return outcome(commands.putConfigKey(world, key, input, 'us'), `set ${key}`)
  return outcome(commands.deleteConfigKey(world, key, 'us'), 'key deleted')
}

function mgrFail(world: World, ceph: WorldCeph, name: string): CliAnswer {
  if (ceph.activeMgrHost !== name) return say(0, '', `Daemon not found '${name}', already failed?\n`)
  return outcome(commands.failMgr(world, name as NodeName, 'us'), '')
}

function stopOsd(world: World, ceph: WorldCeph, id: number): CliAnswer {
  if (!ceph.osds.some((osd) => osd.id === id)) return say(1, '', `Unit ceph-osd@${id}.service not loaded.\n`)
  return outcome(commands.stopOsds(world, [id], 'us'), '')
}

const outcome = (answer: Answer<null>, text: string) =>
  answer.is === 'done' ? say(0, '', text === '' ? '' : `${text}\n`) : error(EINVAL, 'EINVAL', answer.text)

/** For the lab's control server: `POST /ceph {args, input}`. Throws where the question is no list of words. */
export function cephRequest(world: World, body: unknown): CliAnswer {
  if (typeof body === 'object' && body !== null && 'args' in body && Array.isArray(body.args)) {
    const input = 'input' in body && typeof body.input === 'string' ? body.input : ''
    return answerCeph(world, body.args.map(String), input)
  }
  throw new DriverError('lab', 'answer a ceph command', { retry: 'never', text: 'it came without arguments' })
}

/** For a shell, which reads no JSON: "CODE LENGTH", then LENGTH bytes of standard output, then standard error. */
export const plainText = ({ code, stdout, stderr }: CliAnswer) =>
  `${code} ${Buffer.byteLength(stdout)}\n${stdout}${stderr}`
