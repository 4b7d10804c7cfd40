/**
 * One launcher a state folder: held by an abstract socket, which the kernel lets go in the very moment its holder dies, by whatever
 * signal. Whoever waits may ask whether the holder goes on or is on its way out.
 */
import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type Lock = {
  /** Tells those who wait that it is worth it. */
  ending(): void
  release(): Promise<void>
}

type Word = 'goes on' | 'is ending'

/** A holder that goes on may not have noticed yet that its control plane was killed a moment ago. */
const GOES_ON_LIMIT_MS = 2_000
/** Its children have their own limits on the way out; together they stay below this. */
const ENDING_LIMIT_MS = 60_000
const ASK_EVERY_MS = 50
const ANSWER_LIMIT_MS = 1_000

/** Throws when another launcher holds the folder and goes on. */
export async function takeLock(stateDir: string): Promise<Lock> {
  const name = nameOf(stateDir)
  for (let goesOnMs = 0, waitedMs = 0; ; waitedMs += ASK_EVERY_MS) {
    const lock = await tryLock(name)
    if (lock !== undefined) return lock
    const word = await ask(name)
    goesOnMs = word === 'goes on' ? goesOnMs + ASK_EVERY_MS : 0
    if (goesOnMs > GOES_ON_LIMIT_MS || waitedMs > ENDING_LIMIT_MS) {
      throw new Error(`another demo runs on ${stateDir}: end it with Ctrl-C or "demo --clean", or name another --state`)
    }
    await sleep(ASK_EVERY_MS)
  }
}

function nameOf(stateDir: string): string {
  const mark = createHash('sha256').update(realpathSync(stateDir)).digest('hex').slice(0, 24)
  return `\0coulisse-demo-${mark}`
}

async function tryLock(name: string): Promise<Lock | undefined> {
  let word: Word = 'goes on'
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(word)
  })
  if (!(await listens(server, name))) return undefined
  // The lock is no reason to go on living.
  server.unref()
  return {
    ending: () => {
      word = 'is ending'
    },
    release: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    )
    server.listen({ path }, () => resolve(true))
  })
}

/** undefined: nobody answered, for it is gone, or too busy. */
function ask(path: string): Promise<Word | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const socket = createConnection({ path })
    socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy())
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text === 'goes on' || text === 'is ending' ? text : undefined))
  })
}
