import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DriverError } from '#domain/driver-error'
import { nodeName } from '#domain/ids'
import { haManager } from './ha-manager.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coulisse-ha-manager-'))
})
afterAll(() => rm(folder, { recursive: true }))

const node = (code: string, ...rest: string[]) => [process.execPath, '-e', code, ...rest]
const failing = async (work: Promise<void>) => (await work.catch((error: unknown) => error)) as DriverError
const pve3 = nodeName('pve3')

test('a command of your own runs with node and action filled in, each as one argument, and its own environment', async () => {
  const out = join(folder, 'argv')
  const command = node(
    `require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify([process.env.WHERE, ...process.argv.slice(1)]))`,
    '{on}',
    'crm-command',
    'node-maintenance',
    '{action}',
    '{node}',
  )
  await haManager({ command, env: { WHERE: 'lab' } }).setMaintenanceMode(pve3, true)
  expect(JSON.parse(await readFile(out, 'utf8')).join(' ')).toBe('lab pve3 crm-command node-maintenance enable pve3')
  await haManager({ command, env: { WHERE: 'lab' } }).setMaintenanceMode(pve3, false)
  expect(JSON.parse(await readFile(out, 'utf8')).join(' ')).toBe('lab pve3 crm-command node-maintenance disable pve3')
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
  const saying = (text: string, code: number) =>
    haManager({ command: node(`console.error(${JSON.stringify(text)}); process.exit(${code})`) })
  const outcome = async (text: string, code: number) => {
    const { retry, message } = await failing(saying(text, code).setMaintenanceMode(pve3, true))
    return { retry, message }
  }
  expect(await outcome('ssh: connect to host pve1 port 22: No route to host', 255)).toMatchObject({ retry: 'later' })
  // Perl's `die` ends with 255 too.
  expect(await outcome("no such cluster node 'pve3'", 255)).toMatchObject({
    retry: 'never',
    message: expect.stringContaining('no such cluster node'),
  })
  expect(await outcome("cfs-lock 'file-ha/crm_commands' error: no quorum!", 2)).toMatchObject({ retry: 'later' })
  const silent = haManager({ command: node('setInterval(() => {}, 1000)'), deadlineMs: 200 })
  expect(await failing(silent.setMaintenanceMode(pve3, true))).toMatchObject({ retry: 'later' })
  const absent = haManager({ command: ['/nonexistent/ssh'] })
  expect((await failing(absent.setMaintenanceMode(pve3, true))).message).toContain('not installed')
})
