/** The BMC contract over OpenIPMI's simulator: real IPMI 2.0 on the wire, by our driver and `ipmitool`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeName } from '#domain/ids'
import { run } from '#drivers/exec/run'
import { ipmiBmc } from '#drivers/ipmi/ipmi-bmc'
import { startRealBmcs } from '#lab/real/bmcs'
import { bmcContract } from './bmc-contract.ts'
import { leftOut, whyNotReal } from './real.ts'

/** The simulator looks at its sensors every 200 ms. */
const SENSOR_POLL_MS = 600
const node = nodeName('pve3')
const identity = { systemUuid: '4c4c4544-0033-4a10-8051-b2c04f4a3932', serial: '7QX4J92' }

const why = await whyNotReal()

if (why === undefined) {
  bmcContract('OpenIPMI’s simulator', async () => {
    const fans = ['FAN1', 'FAN2', 'FAN3', 'FAN4', 'FAN5', 'FAN6']
    const dir = `/tmp/coulisse-real-bmc-${process.pid}`
    const bmcs = await startRealBmcs({ dir, nodes: [{ name: node, ...identity, fans }], firstPort: 9441 })
    const real = bmcs.byNode.get(node)
    if (real === undefined) throw new Error('the BMC did not start')
    const { host, port, user, password, guidEncoding } = real
    const clear = [
      'ipmitool',
      '-I',
      'lanplus',
      '-C',
      '3',
      '-H',
      host,
      '-p',
      String(port),
      '-U',
      user,
      '-E',
      'sel',
      'clear',
    ]
    const after = async (change: Promise<void>) => {
      await change
      await sleep(SENSOR_POLL_MS)
    }
    return {
      bmc: ipmiBmc({
        nodes: { [node]: { host, port, user, password, guidEncoding } },
        clock: { nowMs: async () => Date.now(), sleepUntil: async () => undefined },
      }),
      node,
      fan: 'FAN3',
      identity,
      hands: {
        stopFan: () => after(real.setFan('FAN3', 0)),
        startFan: () => after(real.setFan('FAN3', 8400)),
        powerOff: () => real.setPower('off'),
        clearLog: async () => {
          await run({
            driver: 'test',
            doing: 'clear the log',
            command: clear,
            env: { IPMI_PASSWORD: password },
            deadlineMs: 20_000,
          })
          await sleep(SENSOR_POLL_MS)
        },
        silence: () => real.silence(true),
        unsilence: () => real.silence(false),
      },
      close: () => bmcs.stop(),
    }
  })
} else {
  leftOut('the BMC contract over a real simulator', why)
}
