/** QEMU's machine protocol over its unix socket: one client a socket, one command at a time, every answer within a limit. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { failed } from '../processes.ts'

export type Qmp = {
  /** @throws DriverError with QEMU's own words, or past the limit, or when QEMU is gone. */
  execute<T = unknown>(command: string, args?: Readonly<Record<string, unknown>>): Promise<T>
  readonly isOpen: boolean
  close(): void
}

/** TCG on a loaded machine: QEMU's main loop may be busy for seconds. */
const ANSWER_LIMIT_MS = 30_000
const CONNECT_LOOKS_LIMIT = 600
const CONNECT_LOOKS_APART_MS = 50

type Message = { readonly return?: unknown; readonly error?: { readonly desc?: string }; readonly QMP?: unknown }
type Asked = { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }

/** Waits until QEMU has made its socket, while `isUp` says that it still may. */
export async function openQmp(name: string, path: string, isUp: () => Promise<boolean>): Promise<Qmp> {
  for (let look = 1; ; look++) {
    const socket = await tryConnect(path)
    if (socket !== undefined) return greet(name, socket)
    if (!(await isUp())) throw failed(`start QEMU for ${name}`, new Error('it ended at once'))
    if (look >= CONNECT_LOOKS_LIMIT)
      throw failed(`reach QEMU of ${name}`, new Error('its control socket did not appear'))
    await sleep(CONNECT_LOOKS_APART_MS)
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => resolve(socket))
    socket.once('error', () => resolve(undefined))
  })
}

async function greet(name: string, socket: Socket): Promise<Qmp> {
  const qmp = client(name, socket)
  try {
    await qmp.execute('qmp_capabilities')
    return qmp
  } catch (error) {
    qmp.close()
    throw error
  }
}

function client(name: string, socket: Socket): Qmp {
  let rest = ''
  let asked: Asked | undefined
  let isOpen = true
  let last: Promise<unknown> = Promise.resolve()
  const settle = (how: (asked: Asked) => void) => {
    const one = asked
    asked = undefined
    if (one !== undefined) how(one)
  }
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const message = readMessage(line)
      // Greetings and events are nobody's answer.
      if ('return' in message) settle(({ resolve }) => resolve(message.return))
      else if (message.error !== undefined) settle(({ reject }) => reject(new Error(message.error?.desc ?? line)))
    }
  })
  const end = () => {
    isOpen = false
    settle(({ reject }) => reject(new Error('QEMU is gone')))
  }
  socket.on('close', end)
  socket.on('error', end)

  function send(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!isOpen) return reject(new Error('QEMU is gone'))
      const timer = setTimeout(() => settle((one) => one.reject(new Error('no answer in time'))), ANSWER_LIMIT_MS)
      const done =
        <V>(act: (value: V) => void) =>
        (value: V) => {
          clearTimeout(timer)
          act(value)
        }
      asked = { resolve: done(resolve), reject: done(reject) }
      socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }) })}\n`)
    })
  }

  return {
    get isOpen() {
      return isOpen
    },
    close: () => socket.destroy(),
    execute: async <T>(command: string, args?: Readonly<Record<string, unknown>>) => {
      const mine = last.then(() => send(command, args))
      last = mine.catch(() => undefined)
      try {
        return (await mine) as T
      } catch (cause) {
        throw failed(`${command} of ${name}`, cause)
      }
    },
  }
}

function readMessage(line: string): Message {
  try {
    return JSON.parse(line) as Message
  } catch {
    return {}
  }
}
