/**
 * The whole chain for real: a fan of OpenIPMI's BMC drops out; Debian's IPMI exporter reads it; Prometheus holds it, and its rule
 * fires; Alertmanager posts it over mTLS; our receiver keeps it, and the watch finds the fan. And beside it the other way: the
 * same Prometheus, asked by our driver.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { alertReceiver } from '#app/alerts'
import { newWatchState, type WatchState, watchOnce } from '#app/watch'
import type { Finding } from '#domain/finding'
import { nodeName } from '#domain/ids'
import { secret } from '#domain/secret'
import { run } from '#drivers/exec/run'
import { alertSource } from '#drivers/prometheus/alert-source'
import { type PrometheusClient, prometheusClient } from '#drivers/prometheus/client'
import { examinePrometheus } from '#drivers/prometheus/examine'
import { DEFAULT_NODE_LABELS, DEFAULT_PART_LABELS, type Placing } from '#drivers/prometheus/placing'
import { prometheusSource } from '#drivers/prometheus/prometheus-source'
import type { KeptAlert } from '#drivers/prometheus/webhook'
import { type RealBmc, type RealBmcs, startRealBmcs } from '#lab/real/bmcs'
import { freePort, missingForPrometheus, type PrometheusChain, startPrometheusChain } from '#lab/real/prometheus-chain'
import { selfSignedCertificate } from '#lab/wire/tls'
import type { SignalSource } from '#ports/signal-source'
import { buildAlertServer } from '#surfaces/api/routes-alerts'
import { leftOut, whyNotReal } from './real.ts'

const HOUR_MS = 3_600_000
const LOOKS_LIMIT = 200
const LOOKS_APART_MS = 100
const SECRET = 'between-us-only'
const [pve1, pve3] = [nodeName('pve1'), nodeName('pve3')]
const RULES = 'deploy/prometheus/coulisse.rules.yml'
const ALERTMANAGER = 'deploy/prometheus/alertmanager.yml'

/** Waits for what real daemons do in their own time. */
async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let looks = 1; looks <= LOOKS_LIMIT; looks++) {
    const seen = await look()
    if (seen !== undefined) return seen
    await sleep(LOOKS_APART_MS)
  }
  throw new Error(`not seen within ${(LOOKS_LIMIT * LOOKS_APART_MS) / 1000} s: ${what}`)
}

/** The real time, and whole hours on top: between two dropouts of the fan a quarter of a day passes for us. */
class Clock {
  addedMs = 0
  readonly nowMs = async () => Date.now() + this.addedMs
  readonly sleepUntil = async () => undefined
}

/** Durable for as long as the test lasts; `isAway` for a database that does not answer. */
class Queue {
  rows: { id: number; message: KeptAlert }[] = []
  isAway = false
  refusals = 0
  seen = 0

  async put(messages: readonly { readonly key: string; readonly message: KeptAlert }[]): Promise<'kept' | 'full'> {
    if (this.isAway) {
      this.refusals++
      return 'full'
    }
    for (const { message } of messages) this.rows.push({ id: ++this.seen, message })
    return 'kept'
  }

  waiting = async (limit: number) => this.rows.slice(0, limit)
  remove = async (ids: readonly number[]) => {
    this.rows = this.rows.filter(({ id }) => !ids.includes(id))
  }
}

class WatchOf {
  state: WatchState = newWatchState()
  readonly findings: Finding[] = []
  readonly #clock: Clock
  readonly #source: SignalSource

  constructor(clock: Clock, source: SignalSource) {
    this.#clock = clock
    this.#source = source
  }

  async round(): Promise<WatchState> {
    const watch = {
      nodes: [],
      poller: { round: async () => [] },
      clock: this.#clock,
      everyMs: 1,
      store: {
        load: async () => this.state,
        save: async (state: WatchState) => {
          this.state = JSON.parse(JSON.stringify(state)) as WatchState
        },
      },
      sources: [this.#source],
      onFinding: async (finding: Finding) => this.findings.push(finding) > 0,
      log: () => {},
    }
    this.state = await watchOnce(watch, this.state)
    return this.state
  }

  isOpen = (part: string) => this.state.detector.nodes.pve3?.parts[part]?.trouble?.openSinceMs != null
  levels = () => this.findings.map(({ node, part, level }) => `${node} ${part} ${level}`)
}

const missing = await missingForPrometheus()
const why = missing.length > 0 ? `missing on this machine: ${missing.join(', ')}` : await whyNotReal()

function chainTests(): void {
  const folder = mkdtempSync(join(tmpdir(), 'coulisse-prometheus-'))
  const clock = new Clock()
  const queue = new Queue()
  let bmcs: RealBmcs
  let bmc: RealBmc
  let chain: PrometheusChain
  let client: PrometheusClient
  let placing: Placing
  let server: ReturnType<typeof buildAlertServer>

  const asked = (program: string, ...args: string[]) =>
    run({ driver: 'test', doing: `ask ${program}`, command: [program, ...args], deadlineMs: 20_000 })

  beforeAll(async () => {
    const nodes = [pve1, pve3].map((name) => ({
      name,
      systemUuid: '4c4c4544-0033-4a10-8051-b2c04f4a3932',
      serial: name,
      fans: ['FAN1', 'FAN2', 'FAN3', 'FAN4'],
    }))
    bmcs = await startRealBmcs({ dir: join(folder, 'bmcs'), nodes, firstPort: await freePort() })
    bmc = bmcs.byNode.get(pve3) as RealBmc
    placing = {
      nodes: [pve1, pve3],
      aliases: Object.fromEntries([...bmcs.byNode].map(([node, { host, port }]) => [`${host}:${port}`, node])),
      nodeLabels: DEFAULT_NODE_LABELS,
      partLabels: DEFAULT_PART_LABELS,
      rules: [],
    }
    const own = selfSignedCertificate('localhost', Date.now())
    const theirs = selfSignedCertificate('alertmanager.example', Date.now())
    const receiver = alertReceiver({ queue, placing, clock, secret: secret(SECRET), log: () => {} })
    server = buildAlertServer(receiver, { ...own, clientCa: theirs.cert })
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text, { mode: 0o600 })
      return join(folder, name)
    }
    // What is shipped to operators, with this test's address, secret and certificates.
    const alertmanager = parse(readFileSync(ALERTMANAGER, 'utf8'))
    const [hook] = alertmanager.receivers.find(({ name }: { name: string }) => name === 'coulisse').webhook_configs
    hook.url = `${url}/api/alertmanager`
    hook.http_config.authorization.credentials_file = file('secret', SECRET)
    hook.http_config.tls_config = {
      ca_file: file('ca.pem', own.cert),
      cert_file: file('client.pem', theirs.cert),
      key_file: file('client.key', theirs.key),
    }
    // The shortest: 10 s are for people.
    alertmanager.route.routes[0].group_interval = '1s'
    chain = await startPrometheusChain({
      dir: join(folder, 'chain'),
      bmcs: [...bmcs.byNode.values()],
      rulesFile: join(process.cwd(), RULES),
      alertmanager,
    })
    client = prometheusClient({ url: chain.prometheusUrl, trust: {}, signIn: { is: 'none' } })
    await until('the fans of both nodes in Prometheus', async () => {
      const { data } = await client.range('wait', 'ipmi_fan_speed_state', 5_000)
      return data.length === 8 ? true : undefined
    })
  }, 120_000)

  afterAll(async () => {
    await client?.close()
    await chain?.stop()
    await server?.close()
    await bmcs?.stop()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)

  test('what operators are given passes Prometheus’ and Alertmanager’s own checks', async () => {
    const rules = await asked('/usr/bin/promtool', 'check', 'rules', RULES)
    expect([rules.code, rules.stdout]).toEqual([0, expect.stringContaining('11 rules found')])
    const routes = await asked('/usr/bin/amtool', 'check-config', ALERTMANAGER)
    expect([routes.code, routes.stdout]).toEqual([0, expect.stringContaining('SUCCESS')])
  })

  test('a fan that drops out four times in a day is found by both ways', async () => {
    const byAlerts = new WatchOf(clock, alertSource(queue))
    const byQueries = new WatchOf(clock, prometheusSource({ client, placing, clock }))
    await byQueries.round()
    for (let dropout = 1; dropout <= 4; dropout++) {
      for (const [rpm, isBad] of [
        [0, true],
        [8400, false],
      ] as const) {
        await bmc.setFan('FAN3', rpm)
        for (const one of [byAlerts, byQueries]) {
          await until(`dropout ${dropout}, FAN3 at ${rpm} RPM`, async () => {
            await one.round()
            return one.isOpen('FAN3') === isBad ? true : undefined
          })
        }
      }
      clock.addedMs += 6 * HOUR_MS
    }
    await byAlerts.round()
    await byQueries.round()
    const found = ['pve3 FAN3 quarantine', 'pve3 FAN3 drain-advised']
    expect(byAlerts.levels()).toEqual(found)
    expect(byQueries.levels()).toEqual(found)
    for (const { state } of [byAlerts, byQueries]) {
      expect(state.detector.nodes.pve3?.parts.FAN3?.trouble?.episodes).toHaveLength(4)
      expect(state.detector.nodes.pve1?.parts.FAN3?.trouble?.episodes ?? []).toEqual([])
    }
    expect(queue.rows).toEqual([])
  }, 180_000)

  test('two dropouts between two looks of ours are two signals', async () => {
    const source = prometheusSource({ client, placing, clock })
    const { cursor } = await source.signals('')
    for (let dropout = 0; dropout < 2; dropout++) {
      for (const [rpm, state] of [
        [0, 2],
        [8400, 0],
      ] as const) {
        await bmc.setFan('FAN2', rpm)
        await until(`FAN2 in state ${state}`, async () => {
          const { data } = await client.range('wait', 'ipmi_fan_speed_state{name="FAN2"}', 3_000)
          const mine = data.find(({ labels }) => placing.aliases[labels.instance ?? ''] === pve3)
          return mine?.samples.at(-1)?.value === state ? true : undefined
        })
      }
    }
    const { signals } = await source.signals(cursor)
    const states = signals.flatMap((signal) => (signal.is === 'part' && signal.part === 'FAN2' ? [signal.state] : []))
    expect(states).toEqual(['critical', 'ok', 'critical', 'ok'])
  }, 60_000)

  test('while we cannot keep alerts Alertmanager sends them again; what it sends twice, after a power cut of its own, is one', async () => {
    // Of FAN4 alone: the last alert of a test before may still be on its way.
    const kept = () => queue.rows.filter(({ message }) => message.part === 'FAN4').map(({ message }) => message)
    queue.isAway = true
    await bmc.setFan('FAN4', 0)
    await until('two refusals', async () => (queue.refusals >= 2 ? true : undefined))
    expect(kept()).toEqual([])
    queue.isAway = false
    await until('the alert, sent again', async () => (kept().length > 0 ? true : undefined))
    // Whom it told it forgets with its power.
    await chain.restartAlertmanager()
    await until('the same alert once more', async () => (kept().length > 1 ? true : undefined))
    expect(new Set(kept().map(({ key }) => key)).size).toBe(1)
    await bmc.setFan('FAN4', 8400)
    await until('its end', async () => (kept().some(({ status }) => status === 'resolved') ? true : undefined))
    const watch = new WatchOf(clock, alertSource(queue))
    const { detector } = await watch.round()
    expect(detector.nodes.pve3?.parts.FAN4?.trouble?.episodes).toHaveLength(1)
    expect(watch.isOpen('FAN4')).toBe(false)
  }, 60_000)

  test('a BMC that is silent is unmeasured: no fan is good or bad, and the doctor names the node', async () => {
    const source = prometheusSource({ client, placing, clock })
    const { cursor } = await source.signals('')
    await bmc.silence(true)
    try {
      await until('no scrape of it', async () => {
        const { data } = await client.range('wait', 'ipmi_fan_speed_state', 3_000)
        return data.length === 4 ? true : undefined
      })
      const { signals } = await source.signals(cursor)
      expect(signals.filter((signal) => signal.is === 'part' && signal.node === pve3)).toEqual([])
    } finally {
      await bmc.silence(false)
    }
    await until('its fans again', async () => {
      const { data } = await client.range('wait', 'ipmi_fan_speed_state', 3_000)
      return data.length === 8 ? true : undefined
    })
  }, 60_000)

  test('the doctor’s look at a real Prometheus', async () => {
    const url = chain.prometheusUrl
    const checks = await examinePrometheus({ url, client, placing, nowMs: Date.now() })
    expect(checks.map(({ outcome }) => outcome)).toEqual(['fine', 'fine', 'fine', 'fine'])
    expect(checks[0]?.text).toMatch(/^answers, 2\./)
    const stranger = { ...placing, nodes: [nodeName('pve9')], aliases: {} }
    const blind = await examinePrometheus({ url, client, placing: stranger, nowMs: Date.now() })
    expect(blind.map(({ subject, outcome }) => `${subject} ${outcome}`)).toContain('fans missing')
    expect(blind.map(({ subject, outcome }) => `${subject} ${outcome}`)).toContain('targets missing')
  })
}

if (why === undefined) chainTests()
else leftOut('the chain from a real BMC over a real Prometheus and Alertmanager', why)
