/** Real BMCs, one a node: OpenIPMI's `ipmi_sim` on UDP ports of loopback, with power and fans in files. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeName } from '#domain/ids'
import { type Secret, secret } from '#domain/secret'
import { run } from '#drivers/exec/run'
import { chassisScript, emulatorCommands, lanConf, type MiniBmc, RPM_A_STEP, sensorsOf, valueFile } from './bmc-conf.ts'
import { type Daemons, daemonsIn, failed } from './processes.ts'

export type RealBmcNode = {
  readonly name: NodeName
  readonly systemUuid: string
  readonly serial: string
  readonly fans: readonly string[]
}

export type RealBmc = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret
  /** How the simulator packs its GUID. */
  readonly guidEncoding: 'smbios'
  power(): Promise<'on' | 'off'>
  /** What the machine does; the BMC only reports it. */
  setPower(to: 'on' | 'off'): Promise<void>
  /** As the last command wanted it; 'never-asked' before the first. */
  locate(): Promise<'on' | 'off' | 'never-asked'>
  setFan(part: string, rpm: number): Promise<void>
  /** A BMC that is silent stands still, so it goes on where it was. */
  silence(on: boolean): Promise<void>
  /** The BMC's own restart: it keeps its log, and its clock begins at nothing. */
  restart(): Promise<void>
}

export type RealBmcs = {
  readonly byNode: ReadonlyMap<NodeName, RealBmc>
  readonly startedInMs: number
  stop(): Promise<void>
}

const USER = 'coulisse'
/** IPMI allows 16 bytes (1.5) or 20. */
const PASSWORD_BYTES = 9
const FIRST_PORT = 9101
const CONSOLE_OFFSET = 200
const ANSWER_LOOKS_LIMIT = 60
const ANSWER_LOOKS_APART_MS = 100

/** @param firstPort one UDP port a node from here on, and a TCP port 200 above each for its console */
export async function startRealBmcs(options: {
  readonly dir: string
  readonly nodes: readonly RealBmcNode[]
  readonly firstPort?: number
}): Promise<RealBmcs> {
  const startedAt = performance.now()
  const { dir, nodes, firstPort = FIRST_PORT } = options
  const daemons = daemonsIn(dir)
  await daemons.endAll()
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  try {
    const started = await Promise.all(
      nodes.map(async (node, index) => {
        const own = { ...node, dir: join(dir, node.name), port: firstPort + index, user: USER, password }
        return [node.name, await startOne(daemons, { ...own, consolePort: own.port + CONSOLE_OFFSET })] as const
      }),
    )
    return {
      byNode: new Map(started),
      startedInMs: performance.now() - startedAt,
      stop: async () => {
        await daemons.endAll()
        await rm(dir, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await daemons.endAll()
    throw failed(`start the BMCs (logs in ${join(dir, 'log')})`, error)
  }
}

async function startOne(daemons: Daemons, bmc: MiniBmc): Promise<RealBmc> {
  await mkdir(join(bmc.dir, 'state'), { recursive: true })
  await mkdir(join(bmc.dir, 'val'))
  await writeFile(join(bmc.dir, 'power'), '1\n')
  for (const { name, raw } of sensorsOf(bmc)) await writeFile(valueFile(bmc.dir, name), String(raw))
  await writeFile(join(bmc.dir, 'chassis.sh'), chassisScript(bmc.dir))
  await chmod(join(bmc.dir, 'chassis.sh'), 0o700)
  await writeFile(join(bmc.dir, 'lan.conf'), lanConf(bmc), { mode: 0o600 })
  await writeFile(join(bmc.dir, 'sim.emu'), emulatorCommands(bmc))
  await startDaemon(daemons, bmc)
  return handle(daemons, bmc)
}

async function startDaemon(daemons: Daemons, bmc: MiniBmc): Promise<void> {
  const files = ['-c', join(bmc.dir, 'lan.conf'), '-f', join(bmc.dir, 'sim.emu'), '-s', join(bmc.dir, 'state')]
  await daemons.start(bmc.name, ['ipmi_sim', '-n', ...files])
  await answers(bmc)
}

async function answers({ name, port, user, password }: MiniBmc): Promise<void> {
  const where = [
    '-I',
    'lanplus',
    '-C',
    '3',
    '-N',
    '1',
    '-R',
    '1',
    '-H',
    '127.0.0.1',
    '-p',
    String(port),
    '-U',
    user,
    '-E',
  ]
  for (let look = 1; look <= ANSWER_LOOKS_LIMIT; look++) {
    const env = { IPMI_PASSWORD: secret(password) }
    const command = ['ipmitool', ...where, 'mc', 'info']
    if ((await run({ driver: 'real lab', doing: `ask ${name}'s BMC`, command, env, deadlineMs: 10_000 })).code === 0)
      return
    await sleep(ANSWER_LOOKS_APART_MS)
  }
  throw failed(`start ${name}'s BMC`, new Error('it does not answer'))
}

/** The simulator may read at any moment: a file is always whole. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.next`, text)
  await rename(`${file}.next`, file)
}

function handle(daemons: Daemons, bmc: MiniBmc): RealBmc {
  const { dir, name, port, user, password } = bmc
  return {
    host: '127.0.0.1',
    port,
    user,
    password: secret(password),
    guidEncoding: 'smbios',
    power: async () => ((await readFile(join(dir, 'power'), 'utf8')).trim() === '1' ? 'on' : 'off'),
    setPower: (to) => replace(join(dir, 'power'), to === 'on' ? '1\n' : '0\n'),
    locate: async () => {
      const [interval, force] = (await readFile(join(dir, 'identify'), 'utf8').catch(() => '')).trim().split(' ')
      if (interval === '' || interval === undefined) return 'never-asked'
      return interval === '0' && force !== '1' ? 'off' : 'on'
    },
    setFan: (part, rpm) => replace(valueFile(dir, part), String(Math.min(255, Math.round(rpm / RPM_A_STEP)))),
    silence: (on) => daemons.signal(name, on ? 'SIGSTOP' : 'SIGCONT'),
    restart: async () => {
      await daemons.end(name, 'SIGKILL')
      await startDaemon(daemons, bmc)
    },
  }
}
