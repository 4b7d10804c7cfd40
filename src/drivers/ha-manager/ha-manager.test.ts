import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { DEFAULT_COMMAND, haManager } from './ha-manager.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coulisse-ha-manager-'))
})
afterAll(() => rm(folder, { recursive: true }))

const node = (code: string, ...rest: string[]) => [process.execPath, '-e', code, ...rest]
const failing = async (work: Promise<void>) => (await work.catch((error: unknown) => error)) as DriverError

test('the command runs with node and action filled in, each as one argument', async () => {
  const out = join(folder, 'argv')
  const command = node(
    `require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify(process.argv.slice(1)))`,
    ...DEFAULT_COMMAND.slice(7),
  )
  await haManager({ command }).setMaintenanceMode(nodeName('pve3'), true)
  expect(JSON.parse(await readFile(out, 'utf8'))).toEqual([
    'root@pve3',
    'ha-manager',
    'crm-command',
    'node-maintenance',
    'enable',
    'pve3',
  ])
  await haManager({ command, runOn: () => 'pve1' }).setMaintenanceMode(nodeName('pve3'), false)
  expect(JSON.parse(await readFile(out, 'utf8')).join(' ')).toBe(
    'root@pve1 ha-manager crm-command node-maintenance disable pve3',
  )
})

test('a name that a remote shell could read is refused before anything runs', async () => {
  for (const name of ['pve3; reboot', '-oProxyCommand=x', '$(id)', '', 'pve3\nreboot']) {
    const error = await failing(
      haManager({ command: node('process.exit(0)') }).setMaintenanceMode(nodeName(name), true),
    )
    expect(error).toBeInstanceOf(DriverError)
    expect(error.retry).toBe('never')
  }
})

test('an unreached node may be tried later, a refusal not, and silence has a limit', async () => {
  const pve3 = nodeName('pve3')
  const unreached = haManager({ command: node("console.error('No route to host'); process.exit(255)") })
  expect(await failing(unreached.setMaintenanceMode(pve3, true))).toMatchObject({ retry: 'later' })
  const refused = haManager({ command: node("console.error('no such node'); process.exit(2)") })
  const error = await failing(refused.setMaintenanceMode(pve3, true))
  expect(error.retry).toBe('never')
  expect(error.message).toContain('no such node')
  const silent = haManager({ command: node('setInterval(() => {}, 1000)'), deadlineMs: 200 })
  expect(await failing(silent.setMaintenanceMode(pve3, true))).toMatchObject({ retry: 'later' })
  const absent = haManager({ command: ['/nonexistent/ssh'] })
  expect((await failing(absent.setMaintenanceMode(pve3, true))).message).toContain('not installed')
})
