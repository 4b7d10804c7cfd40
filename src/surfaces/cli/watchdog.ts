/** `coulisse watchdog`: a small process of its own that shouts when nobody looks after a lease, a node or a maintenance any more. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { untilSignal } from '#app/until-signal'
import { openWatchdog, type Watchdog } from '#app/watchdog/watchdog'
import { dateTimeText } from '#domain/figures'

const HELP = `
Looks at the journal, the noout leases in Ceph, maintenance mode and the control plane, and shouts by mail, webhook and metric.
It changes nothing, unless watchdog.releaseExpiredLease allows it to give an expired lease back.

Exit with --once: 0 nothing stands; 1 something does; 2 bad input. With --every it runs until a signal.`

type Options = { readonly config: string; readonly once?: boolean; readonly every?: string; readonly json?: boolean }

export function addWatchdogCommand(program: Command): void {
  program
    .command('watchdog')
    .description('look after the control plane from outside, and shout')
    .requiredOption('--config <FILE>', 'the configuration (YAML); whom it shouts to stands under watchdog')
    .option('--once', 'one look, for cron or a systemd timer')
    .option('--every <TIME>', 'again and again: 60s, 5m')
    .option('--json', 'with --once: { at, standing, undelivered }')
    .addHelpText('after', HELP)
    .action(async ({ config, once = false, every, json = false }: Options) => {
      if (once === (every !== undefined)) throw new BadInput(['watchdog: either --once or --every TIME'])
      const everyMs = every === undefined ? 0 : parseTimeMs(every)
      const watchdog = openWatchdog(config, (text) => process.stderr.write(`${new Date().toISOString()} ${text}\n`))
      try {
        if (once) await lookOnce(watchdog, json)
        else await lookAgain(watchdog, everyMs)
      } finally {
        await watchdog.close()
      }
    })
}

const SHORTEST_MS = 5_000
const LONGEST_MS = 3_600_000

function parseTimeMs(text: string): number {
  const [, count, unit] = /^(\d{1,5})(s|m)$/.exec(text) ?? []
  const ms = Number(count) * (unit === 'm' ? 60_000 : 1_000)
  if (ms >= SHORTEST_MS && ms <= LONGEST_MS) return ms
  throw new BadInput([`watchdog: --every takes 5s to 60m, not "${text}"`])
}

async function lookOnce(watchdog: Watchdog, asJson: boolean): Promise<void> {
  const { facts, standing, undelivered } = await watchdog.round()
  if (asJson) {
    const alerts = standing.map(({ alert, firstMs }) => ({ ...alert, since: new Date(firstMs).toISOString() }))
    const answer = { at: new Date(facts.nowMs).toISOString(), standing: alerts, undelivered }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  } else {
    for (const { alert, firstMs } of standing) {
      const { severity, kind, subject, text, mend } = alert
      process.stdout.write(`${severity} ${kind} ${subject} (since ${dateTimeText(firstMs)}): ${text}\n  > ${mend}\n`)
    }
  }
  process.exitCode = standing.length === 0 ? 0 : 1
}

async function lookAgain(watchdog: Watchdog, everyMs: number): Promise<void> {
  const metrics = await watchdog.listen()
  const stop = new AbortController()
  const ended = untilSignal().then(() => stop.abort())
  process.stdout.write(`${JSON.stringify({ ready: true, ...(metrics === undefined ? {} : { metrics }) })}\n`)
  while (!stop.signal.aborted) {
    const beganMs = performance.now()
    // A signal ends it at once: everything that matters is told again by the next process.
    await Promise.race([watchdog.round(), ended])
    const leftMs = Math.max(0, everyMs - (performance.now() - beganMs))
    await sleep(leftMs, undefined, { signal: stop.signal }).catch(() => {})
  }
}
