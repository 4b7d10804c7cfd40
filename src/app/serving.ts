/** Runs the control plane behind an HTTP server until a signal, and ends both in order. */
import { resolve } from 'node:path'
import { stopEmbeddedPostgres } from '#drivers/postgres/embedded'
import type { AlertReceiver } from './alerts.ts'
import { readConfig } from './config/read.ts'
import type { ControlPlane } from './control-plane.ts'
import { type AlertListener, alertListenerOf } from './monitoring.ts'
import { startControlPlane } from './running.ts'
import { ENDING, ENDING_IN_TERMINAL, untilSignal } from './until-signal.ts'

type HttpServer = { listen(where: { host: string; port: number }): Promise<string>; close(): Promise<unknown> }

const END_LIMIT_MS = 8_000

/** First line on stdout: `{ ready, url, recovered }`. Logs go to stderr. Throws BadInput for a bad configuration. */
export async function serveControlPlane(
  configPath: string,
  build: (controlPlane: ControlPlane, publicHosts: readonly string[]) => HttpServer,
  buildForAlerts: (receiver: AlertReceiver, tls: AlertListener) => HttpServer,
): Promise<void> {
  const path = resolve(configPath)
  const config = readConfig(path)
  const log = (text: string) => process.stderr.write(`${new Date().toISOString()} ${text}\n`)
  // A terminal that is closed hangs up too: then SIGHUP ends us. Elsewhere it asks for the configuration to be read again.
  const isInTerminal = process.stderr.isTTY === true
  const hangUps = isInTerminal ? undefined : hangUpsFromNow()
  const end = untilSignal(isInTerminal ? ENDING_IN_TERMINAL : ENDING)
  const running = await Promise.race([startControlPlane(config, path, log), end])
  // Asked to end before it began: whatever was under way is taken up by the next process.
  if (typeof running === 'string') process.exit(0)
  const at = config.listen.lastIndexOf(':')
  const host = config.listen.slice(0, at)
  const server = build(running.controlPlane, [host])
  const { alerts } = running.controlPlane
  const listener = alertListenerOf(config, path)
  const alertServer =
    alerts === undefined || listener === undefined ? undefined : buildForAlerts(alerts.receiver, listener)
  try {
    const url = await server.listen({ host, port: Number(config.listen.slice(at + 1)) })
    if (alertServer !== undefined && listener !== undefined) {
      log(`alerts are taken at ${await alertServer.listen({ host: listener.host, port: listener.port })}`)
    }
    process.stdout.write(`${JSON.stringify({ ready: true, url, pid: process.pid, recovered: running.recovered })}\n`)
  } catch (error) {
    await running.close()
    throw error
  }
  hangUps?.take(running.reload)
  const why = await end
  // What hangs on the way out must not hold the machine up: everything that matters is in the database already.
  setTimeout(() => process.exit(0), END_LIMIT_MS).unref()
  await Promise.all([server.close(), alertServer?.close()])
  await running.close()
  if (why === 'parent-gone') await endPostgresOfParent()
  process.exit(0)
}

/** The demo's launcher was killed: nobody else is left to end its PostgreSQL. */
async function endPostgresOfParent(): Promise<void> {
  const stateDir = process.env.COULISSE_ENDS_POSTGRES_IN
  if (stateDir !== undefined) await stopEmbeddedPostgres(stateDir)
}

/** One that comes during the start is heeded after it: several are one. */
function hangUpsFromNow(): { take(heed: () => void): void } {
  let isWaiting = false
  let heed = () => {
    isWaiting = true
  }
  process.on('SIGHUP', () => heed())
  return {
    take(next) {
      heed = next
      if (isWaiting) next()
    },
  }
}
