/**
 * What the drivers cost, side by side in one run: calls to Proxmox's API a drained guest, 200 BMCs polled, what the control plane
 * adds to the migrations themselves. Each title says what was measured, and how.
 */
import { loadavg } from 'node:os'
import process from 'node:process'
import { measureBmcPolls } from './bmc-polls.ts'
import { countApiCalls } from './drivers/api-calls.ts'
import { measureOverhead, SHORT_MOVES, USUAL_MOVES } from './drivers/overhead.ts'

const GUESTS = 20
const asJson = process.argv.includes('--json')

const figures = {
  apiCalls: { plain: await countApiCalls(GUESTS, false), withHa: await countApiCalls(GUESTS, true) },
  bmcPolls: await measureBmcPolls(),
  overhead: { short: await measureOverhead(SHORT_MOVES), usual: await measureOverhead(USUAL_MOVES) },
  loadAverage: Math.round((loadavg()[0] ?? 0) * 10) / 10,
}

function print(title: string, table: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${title}\n`)
  for (const [name, value] of Object.entries(table)) {
    process.stdout.write(`  ${name.padEnd(20)} ${typeof value === 'object' ? JSON.stringify(value) : value}\n`)
  }
}

if (asJson) process.stdout.write(`${JSON.stringify(figures)}\n`)
else {
  const { apiCalls, bmcPolls, overhead } = figures
  const counted =
    'every request at the lab’s door while the journal is in stage drain, looks and proofs included (simulated cluster, real wire)'
  print(`calls to Proxmox's API, ${GUESTS} VMs drained: ${counted}`, apiCalls.plain)
  print('the same, every fifth of them under HA', apiCalls.withHa)
  print(
    'BMCs polled, each for log and sensors, 16 at once: the lab’s Redfish, the same 100 ms slower, ipmitool against ipmi_sim',
    bmcPolls,
  )
  print(
    'a drain on DBOS, PostgreSQL and the wire in real time: first wish to last proof, against the same moves in the same world, each begun in the very moment in which another ends',
    overhead,
  )
  process.stdout.write(`load average ${figures.loadAverage}\n`)
  process.stdout.write(
    'no call without a deadline: src/drivers/proxmox/bad-answers.test.ts has every method of the port against silence\n',
  )
}
