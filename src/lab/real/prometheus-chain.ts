/** Debian's own IPMI exporter, Prometheus and Alertmanager on free ports of loopback, before real BMCs. */
import { access, constants, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import type { RealBmc } from './bmcs.ts'
import { daemonsIn, failed } from './processes.ts'

export type PrometheusChain = {
  readonly prometheusUrl: string
  readonly alertmanagerUrl: string
  /** Ends Alertmanager by a power cut, and starts it again with what it has on its disk. */
  restartAlertmanager(): Promise<void>
  stop(): Promise<void>
}

/** Programs, and the Debian package that each comes in. */
const PROGRAMS = [
  ['/usr/bin/prometheus', 'prometheus'],
  ['/usr/bin/promtool', 'prometheus'],
  ['/usr/bin/prometheus-alertmanager', 'prometheus-alertmanager'],
  ['/usr/bin/amtool', 'prometheus-alertmanager'],
  ['/usr/bin/prometheus-ipmi-exporter', 'prometheus-ipmi-exporter'],
  ['/usr/sbin/ipmi-sensors', 'freeipmi-tools'],
] as const

/** Packages that are not on this machine. */
export async function missingForPrometheus(): Promise<readonly string[]> {
  const missing = new Set<string>()
  for (const [program, debianPackage] of PROGRAMS) {
    await access(program, constants.X_OK).catch(() => missing.add(debianPackage))
  }
  return [...missing]
}

const READY_LOOKS_LIMIT = 150
const READY_LOOKS_APART_MS = 100

export async function startPrometheusChain(options: {
  readonly dir: string
  readonly bmcs: readonly RealBmc[]
  readonly rulesFile: string
  /** Alertmanager's whole configuration, as an object. */
  readonly alertmanager: unknown
}): Promise<PrometheusChain> {
  const { dir, bmcs } = options
  const daemons = daemonsIn(dir)
  await daemons.endAll()
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const [exporter, prometheus, alertmanager] = [await freePort(), await freePort(), await freePort()]
  const write = (name: string, what: unknown) => writeFile(join(dir, name), stringify(what), { mode: 0o600 })
  await write('ipmi.yml', exporterConfig(bmcs))
  await write('prometheus.yml', prometheusConfig({ bmcs, exporter, alertmanager, rulesFile: options.rulesFile }))
  await write('alertmanager.yml', options.alertmanager)
  const startAlertmanager = async () => {
    const files = ['--config.file=alertmanager.yml', '--storage.path=alerts', '--cluster.listen-address=']
    const listen = `--web.listen-address=127.0.0.1:${alertmanager}`
    await daemons.start('alertmanager', ['/usr/bin/prometheus-alertmanager', ...files, listen])
    await isReady(`http://127.0.0.1:${alertmanager}/-/ready`)
  }
  try {
    const at = (port: number) => `--web.listen-address=127.0.0.1:${port}`
    await daemons.start('exporter', ['/usr/bin/prometheus-ipmi-exporter', '--config.file=ipmi.yml', at(exporter)])
    await isReady(`http://127.0.0.1:${exporter}/`)
    await startAlertmanager()
    // An Alertmanager that was started again hears of what fires within a second, not within a minute.
    const files = ['--config.file=prometheus.yml', '--storage.tsdb.path=series', '--rules.alert.resend-delay=1s']
    await daemons.start('prometheus', ['/usr/bin/prometheus', ...files, at(prometheus)])
    await isReady(`http://127.0.0.1:${prometheus}/-/ready`)
  } catch (error) {
    const logs = await Promise.all(['exporter', 'prometheus', 'alertmanager'].map((name) => lastLines(dir, name)))
    await daemons.endAll()
    throw failed(`start the chain: ${logs.join(' ')}`, error)
  }
  return {
    prometheusUrl: `http://127.0.0.1:${prometheus}`,
    alertmanagerUrl: `http://127.0.0.1:${alertmanager}`,
    restartAlertmanager: async () => {
      await daemons.end('alertmanager', 'SIGKILL')
      await startAlertmanager()
    },
    stop: async () => {
      await daemons.endAll()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const nameOf = ({ host, port }: RealBmc) => `${host}:${port}`

/** A module a BMC. FreeIPMI refuses OpenIPMI's BMC, which names no privilege when a session opens, without `opensesspriv`. */
const exporterConfig = (bmcs: readonly RealBmc[]) => ({
  modules: Object.fromEntries(
    bmcs.map((bmc) => [
      nameOf(bmc),
      {
        user: bmc.user,
        pass: bmc.password.reveal(),
        driver: 'LAN_2_0',
        privilege: 'admin',
        timeout: 2000,
        collectors: ['ipmi', 'chassis'],
        workaround_flags: ['opensesspriv'],
      },
    ]),
  ),
})

function prometheusConfig(parts: {
  readonly bmcs: readonly RealBmc[]
  readonly exporter: number
  readonly alertmanager: number
  readonly rulesFile: string
}): unknown {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [parts.rulesFile],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${parts.alertmanager}`] }] }] },
    scrape_configs: [
      {
        job_name: 'ipmi',
        metrics_path: '/ipmi',
        static_configs: [{ targets: parts.bmcs.map(nameOf) }],
        relabel_configs: [
          { source_labels: ['__address__'], target_label: '__param_target' },
          { source_labels: ['__address__'], target_label: '__param_module' },
          { source_labels: ['__param_target'], target_label: 'instance' },
          { target_label: '__address__', replacement: `127.0.0.1:${parts.exporter}` },
        ],
      },
    ],
  }
}

async function isReady(url: string): Promise<void> {
  for (let look = 1; look <= READY_LOOKS_LIMIT; look++) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.ok) return
    await sleep(READY_LOOKS_APART_MS)
  }
  throw new Error(`${url} is not ready`)
}

/** Ours for a moment only: whoever takes it before the daemon does makes the start fail, in words. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const lastLines = async (dir: string, name: string) =>
  (await readFile(join(dir, 'log', `${name}.log`), 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' ')
