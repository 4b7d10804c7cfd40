/** Runs the control plane behind an HTTP server until a signal, and ends both in order. */
import { once } from 'node:events'
import { resolve } from 'node:path'
import { readConfig } from './config.ts'
import type { ControlPlane } from './control-plane.ts'
import { followParent } from './demo/processes.ts'
import { startControlPlane } from './running.ts'

type HttpServer = { listen(where: { host: string; port: number }): Promise<string>; close(): Promise<unknown> }

const END_LIMIT_MS = 8_000

/** First line on stdout: `{ ready, url, recovered }`. Logs go to stderr. Throws ConfigFaults for a bad configuration. */
export async function serveControlPlane(
  configPath: string,
  build: (controlPlane: ControlPlane, publicHosts: readonly string[]) => HttpServer,
): Promise<void> {
  const path = resolve(configPath)
  const config = readConfig(path)
  const log = (text: string) => process.stderr.write(`${new Date().toISOString()} ${text}\n`)
  const running = await startControlPlane(config, path, log)
  const at = config.listen.lastIndexOf(':')
  const host = config.listen.slice(0, at)
  const server = build(running.controlPlane, [host])
  const url = await server.listen({ host, port: Number(config.listen.slice(at + 1)) })
  process.stdout.write(`${JSON.stringify({ ready: true, url, pid: process.pid, recovered: running.recovered })}\n`)
  await untilSignal()
  // What hangs on the way out must not hold the machine up: everything that matters is in the database already.
  setTimeout(() => process.exit(0), END_LIMIT_MS).unref()
  await server.close()
  await running.close()
  process.exit(0)
}

/** SIGINT, SIGTERM, or the end of the launcher that started us. */
export function untilSignal(): Promise<void> {
  const stop = new AbortController()
  followParent(() => stop.abort())
  const signals = ['SIGINT', 'SIGTERM'].map((name) => once(process, name, { signal: stop.signal }))
  return Promise.race([...signals, once(stop.signal, 'abort')]).then(
    () => {},
    () => {},
  )
}
