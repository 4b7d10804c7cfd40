/** Daemons of ours that outlive a crash of ours: each with a pid file, and ended only when the pid is still the one we started. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '#domain/driver-error'

export type Daemons = {
  /** Starts `command` in `dir`; its output goes to log/NAME.log. */
  start(name: string, command: readonly string[], env?: Readonly<Record<string, string>>): Promise<void>
  isUp(name: string): Promise<boolean>
  signal(name: string, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** Resolves when it is gone. SIGTERM is an order to end, with an end to patience; SIGKILL a power cut. */
  end(name: string, by: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Ends all of them, those of an earlier run too. */
  endAll(): Promise<void>
}

/** In the environment of every daemon: pids are used again, and others run Ceph here too. */
const MARK = 'COULISSE_REAL_LAB'
const GONE_LOOKS_LIMIT = 100
const GONE_LOOKS_APART_MS = 50

const ENVIRONMENT_LOOKS_LIMIT = 100
const ENVIRONMENT_LOOKS_APART_MS = 5

/** Gone, or a zombie: gone, though not yet buried. */
async function isOver(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat === '' || /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}

export function daemonsIn(dir: string): Daemons {
  const pidFile = (name: string) => join(dir, 'pids', `${name}.pid`)

  /** The pid in the file, if that process is alive and ours. */
  async function ownPid(name: string): Promise<number | undefined> {
    const pid = Number(await readFile(pidFile(name), 'utf8').catch(() => ''))
    if (!Number.isInteger(pid) || pid <= 1) return undefined
    for (let look = 1; look <= ENVIRONMENT_LOOKS_LIMIT; look++) {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
      if (environment.split('\0').includes(`${MARK}=${dir}`)) return pid
      // sshd writes its title over its environment: "sshd: /usr/sbin/sshd -D -f DIR/sshd_config [listener] …".
      const title = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (title.startsWith('sshd: ') && title.includes(`${dir}/`)) return pid
      if (environment !== '' || (await isOver(pid))) return undefined
      // Between two programs: a process that is just becoming another shows no environment.
      await sleep(ENVIRONMENT_LOOKS_APART_MS)
    }
    return undefined
  }

  async function start(name: string, command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    if ((await ownPid(name)) !== undefined) return
    const [program = '', ...args] = command
    await mkdir(join(dir, 'pids'), { recursive: true })
    await mkdir(join(dir, 'log'), { recursive: true })
    const log = openSync(join(dir, 'log', `${name}.log`), 'a')
    const child = spawn(program, args, {
      cwd: dir,
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH ?? '', HOME: dir, LC_ALL: 'C', ...env, [MARK]: dir },
    })
    closeSync(log)
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (cause) => reject(failed(`start ${name}`, cause)))
    })
    child.unref()
    await writeFile(pidFile(name), String(child.pid))
  }

  async function end(name: string, by: 'SIGTERM' | 'SIGKILL') {
    const pid = await ownPid(name)
    if (pid !== undefined) {
      signal(pid, by)
      // As systemd does: who does not follow the order in time is cut off.
      if (!(await gone(name)) && by === 'SIGTERM') signal(pid, 'SIGKILL')
      if (!(await gone(name))) throw failed(`end ${name}`, new Error(`it is still there, see ${pidFile(name)}`))
    }
    await rm(pidFile(name), { force: true })
  }

  async function gone(name: string): Promise<boolean> {
    for (let look = 1; look <= GONE_LOOKS_LIMIT; look++) {
      if ((await ownPid(name)) === undefined) return true
      await sleep(GONE_LOOKS_APART_MS)
    }
    return false
  }

  return {
    start,
    end,
    isUp: async (name) => (await ownPid(name)) !== undefined,
    signal: async (name, signal) => {
      const pid = await ownPid(name)
      if (pid !== undefined) process.kill(pid, signal)
    },
    endAll: async () => {
      const files = await readdir(join(dir, 'pids')).catch(() => [])
      await Promise.all(files.map((file) => end(file.replace(/\.pid$/, ''), 'SIGKILL')))
    },
  }
}

export const failed = (doing: string, cause: unknown) => new DriverError('real lab', doing, { retry: 'never', cause })

/** Gone already is what was wanted. */
function signal(pid: number, by: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, by)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
