/** What the documents promise a program can hold: links lead somewhere, the example configuration is accepted. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { parseConfig } from '#app/config/read'
import { tokenCommands } from '#app/init/rights'
import { cephxCommand } from '#drivers/ceph/cephx-caps'
import { COMMANDS } from '#surfaces/cli/commands'
import { filesBelow, linesOf, ROOT, textOf } from './tidy.ts'

const documents = ['README.md', ...filesBelow('docs', '.md')]

test('every link inside the repository leads to a file', () => {
  const dead = documents.flatMap((path) =>
    [...textOf(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map(([, target]) => join(dirname(path), target ?? ''))
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${path}: ${target}`),
  )
  expect(dead).toEqual([])
})

test('the example configuration of docs/operations.md is accepted as it stands', () => {
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(textOf('docs/operations.md')) ?? []
  expect(parseConfig(example, 'docs/operations.md').cluster).toBe('mad1')
})

test('so are Prometheus, Alertmanager and NetBox, beneath it', () => {
  const [example = '', ...others] = [...textOf('docs/operations.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map(
    ([, text]) => text ?? '',
  )
  const monitoring = others.find((text) => text.startsWith('prometheus:'))
  expect(parseConfig(`${example}${monitoring}`, 'docs/operations.md').netbox?.names).toEqual({ pve3: 'srv-0417' })
})

test('the Ceph user of docs/operations.md has the rights that the driver needs', () => {
  expect(textOf('docs/operations.md')).toContain(cephxCommand)
})

test('the commands of docs/operations.md that make a token are those that init prints', () => {
  expect(textOf('docs/operations.md')).toContain(tokenCommands('coulisse@pve!one', { viaProxmox: false }).join('\n'))
})

test('every command that the documents name exists', () => {
  const known = new Set(COMMANDS.flatMap(({ names }) => names))
  const named = documents.flatMap((path) =>
    [...textOf(path).matchAll(/\.\/coulisse ([a-z][a-z-]*)/g)].map(([, name]) => `${name} in ${path}`),
  )
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter((one) => !known.has(one.split(' ')[0] ?? ''))).toEqual([])
})

test('the README is one page', () => {
  const beforeTheLog = textOf('README.md').split('## The log of one night')[0] ?? ''
  expect(linesOf(beforeTheLog).length).toBeLessThanOrEqual(60)
})

test('the log of one night in the README is the one that the scenario plays', () => {
  const [, night = ''] = textOf('README.md').split('## The log of one night')
  const [, shown = ''] = /```text\n([\s\S]*?)```/.exec(night) ?? []
  const played = textOf('scenarios/flapping-fan-is-repaired-and-everybody-comes-home/log.expect').split('\n')
  const lines = shown.split('\n').filter((line) => line !== '' && line !== '…')
  expect(lines.length).toBeGreaterThan(20)
  expect(lines.filter((line) => !played.includes(line))).toEqual([])
})
