/** `coulisse init` against a lab that serves: by flags alone, and with somebody who types. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '#app/config/read'
import { coulisse, freshFolder } from './coulisse.ts'
import { DEMO_CLUSTER, end, type ServedLab, serveLab } from './lab-and-control-plane.ts'

let lab: ServedLab
let folder: string
beforeAll(async () => {
  lab = await serveLab('--snapshot', DEMO_CLUSTER, '--speed', '1')
  folder = freshFolder('init')
  const { proxmox, redfish, nodes } = lab.ready
  writeFileSync(join(folder, 'token'), proxmox[0]?.tokenSecret ?? '', { mode: 0o600 })
  writeFileSync(join(folder, 'bmc'), redfish[0]?.password ?? '', { mode: 0o600 })
  const lines = redfish.map(({ node, user, url }) => {
    const { serial, systemUuid, site, room, rack, unit } = nodes[node] as Record<string, string>
    return [node, serial, systemUuid, site, room, rack, unit, `redfish://${user}@${new URL(url).host}`].join(',')
  })
  writeFileSync(join(folder, 'nodes.csv'), `# node,serial,uuid,site,room,rack,unit,bmc\n${lines.join('\n')}\n`)
})
afterAll(() => end(lab.run))

const entry = (index: number) => lab.ready.proxmox[index] as ServedLab['ready']['proxmox'][number]
const secrets = () => [entry(0).tokenSecret, lab.ready.redfish[0]?.password ?? 'none']

/** What a program would say. */
const flags = (out: string, trust: readonly string[]) => [
  ...['init', '--non-interactive', '--out', out, '--state', join(folder, 'state'), '--lab', lab.ready.control],
  ...['--entry-point', entry(0).url, '--entry-point', entry(1).url, ...trust],
  ...['--token-id', entry(0).tokenId, '--token-secret', `file:${join(folder, 'token')}`],
  ...['--nodes', join(folder, 'nodes.csv'), '--bmc-password', `file:${join(folder, 'bmc')}`, '--ceph', 'proxmox'],
  ...['--smtp', lab.ready.smtp, '--operator-mail', 'noc@example.net', '--technician-mail', 'hands@example.net'],
]

test('flags alone make a whole configuration, with no secret in it, and the doctor says what he makes of it', async () => {
  const out = join(folder, 'by-flags', 'coulisse.yaml')
  const named = [entry(0), entry(1), lab.ready.redfish[0]].flatMap((one) => [
    '--fingerprint',
    one?.fingerprint256 ?? '',
  ])
  const ran = await coulisse(flags(out, named))
  expect(ran).toMatchObject({ code: 0, err: '' })
  expect(ran.out).toMatch(/It is one of those that you named/)
  expect(ran.out).toMatch(/pve4: the BMC answers, and is this node’s/)
  // The lab's token and Ceph through Proxmox are wider than needed; ssh comes later.
  const bad = ran.out.split('\n').filter((line) => /^(missing|dangerous) /.test(line))
  expect(bad.map((line) => line.split(/ +/).slice(0, 2).join(' '))).toEqual([
    'dangerous proxmox',
    'missing ha-manager',
    'dangerous ceph',
  ])
  const config = readConfig(out)
  expect(config.cluster).toBe('mad1')
  expect(config.proxmox.entryPoints.map(({ node }) => node)).toEqual(['pve1', 'pve2'])
  expect(Object.keys(config.nodes)).toEqual(['pve1', 'pve2', 'pve3', 'pve4'])
  expect(Object.keys(config.customers)).toEqual(['acorn', 'birch', 'cedar'])
  for (const secret of secrets()) expect(readFileSync(out, 'utf8') + ran.out).not.toContain(secret)
  const again = await coulisse(flags(out, ['--trust-on-first-use']))
  expect(again).toMatchObject({ code: 2, out: '' })
  expect(again.err).toMatch(/is there already; --force/)
})

test('a certificate that nobody trusts gets nothing, and nothing is written', async () => {
  const out = join(folder, 'untrusted.yaml')
  const ran = await coulisse(flags(out, []))
  expect(ran.code).toBe(2)
  expect(ran.err).toContain(entry(0).fingerprint256)
  expect(ran.err).toMatch(/--fingerprint SHA256 names it, --trust-on-first-use takes it as it is/)
  expect(existsSync(out)).toBe(false)
})

test('a token that is refused is said with how to make one', async () => {
  const wrong = join(folder, 'wrong-token')
  writeFileSync(wrong, '00000000-1111-2222-3333-444444444444')
  const args = flags(join(folder, 'refused.yaml'), ['--trust-on-first-use'])
  const ran = await coulisse(args.map((arg) => (arg === `file:${join(folder, 'token')}` ? `file:${wrong}` : arg)))
  expect(ran.code).toBe(1)
  expect(ran.err).toMatch(/401.*--print-rights/)
  expect(ran.err + ran.out).not.toContain('00000000-1111')
})

test('what flags leave open is named, and a secret on the command line is refused without being repeated', async () => {
  const bare = await coulisse(['init', '--non-interactive', '--out', join(folder, 'bare.yaml')])
  expect(bare).toMatchObject({ code: 2, err: '--entry-point: is needed where nobody is asked\n' })
  const args = flags(join(folder, 'shown.yaml'), ['--trust-on-first-use'])
  const shown = await coulisse(args.map((arg) => (arg.startsWith('file:') ? 'hunter2' : arg)))
  expect(shown.code).toBe(2)
  expect(shown.err).toMatch(/file:PATH or env:NAME/)
  expect(shown.err + shown.out).not.toContain('hunter2')
})

/** Types the lines, one after the other; answers what was shown. */
function typed(args: readonly string[], lines: readonly string[]): Promise<{ code: number | null; shown: string }> {
  const command = fileURLToPath(new URL('../../coulisse', import.meta.url))
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let shown = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      shown += text
    })
  }
  child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, shown })))
}

test('a person is led through it: rights shown, mistakes asked again, typed secrets in files of mode 600', async () => {
  const home = join(folder, 'typed')
  mkdirSync(home)
  const out = join(home, 'coulisse.yaml')
  const lines = [
    ...['not an address', entry(0).url, 'y', '', 'a-wrong-secret', entry(0).tokenSecret],
    ...[entry(1).url, 'yes', '', 'proxmox', join(folder, 'nodes.csv')],
    ...[secrets()[1] ?? '', 'y', '', 'y', '', 'y', '', 'y'],
    ...[join(folder, 'no-key'), ''],
    ...[lab.ready.smtp, '', '', ''],
  ]
  const { code, shown } = await typed(['init', '--out', out, '--lab', lab.ready.control], lines)
  expect(shown).toMatch(/not an address is no https address/)
  expect(shown).toMatch(/pveum user token add coulisse@pve coulisse --privsep 1/)
  expect(shown).toMatch(/401 Authentication failed!/)
  expect(shown).toMatch(/The doctor looks at it:/)
  expect(shown).toMatch(/missing +mail +operatorMail/)
  expect(code).toBe(0)
  expect(readdirSync(join(home, 'secrets')).sort()).toEqual(['bmc-pve1', 'proxmox-token'])
  for (const file of ['bmc-pve1', 'proxmox-token']) {
    expect(statSync(join(home, 'secrets', file)).mode & 0o777).toBe(0o600)
  }
  for (const secret of secrets()) expect(readFileSync(out, 'utf8') + shown).not.toContain(secret)
  expect(readConfig(out).proxmox.entryPoints).toHaveLength(2)
})

test('whoever leaves in the middle has written nothing', async () => {
  const out = join(folder, 'left.yaml')
  const { code, shown } = await typed(['init', '--out', out], [entry(0).url, 'n'])
  expect(code).toBe(2)
  expect(shown).toMatch(/nothing was sent to it/)
  const ended = await typed(['init', '--out', out], [entry(0).url, 'y'])
  expect(ended).toMatchObject({ code: 2 })
  expect(ended.shown).toMatch(/nothing was written/)
  expect(existsSync(out)).toBe(false)
})

test('the line of authorized_keys is printed for a key, with no more rights than it is used for', async () => {
  const key = join(folder, 'id_ed25519')
  const missing = await coulisse(['init', '--print-authorized-keys', '--ssh-key', key])
  expect(missing).toMatchObject({ code: 2, out: '' })
  expect(missing.err).toMatch(/ssh-keygen -t ed25519/)
  writeFileSync(`${key}.pub`, `ssh-ed25519 ${'A'.repeat(68)} me@here\n`)
  const nodes = ['--nodes', join(folder, 'nodes.csv')]
  const { code, out } = await coulisse([
    'init',
    '--print-authorized-keys',
    '--ssh-key',
    key,
    '--ceph',
    'none',
    ...nodes,
  ])
  expect(code).toBe(0)
  expect(out).toMatch(/restrict,command="\/usr\/local\/sbin\/coulisse-node maintenance-mode" ssh-ed25519 A+ coulisse/)
  expect(out).toMatch(/root@pve4/)
})

test('the rights can be printed alone, to be read before they are given', async () => {
  const { code, out } = await coulisse(['init', '--print-rights', '--token-id', 'ops@pve!care'])
  expect(code).toBe(0)
  expect(out).toMatch(/^pveum acl modify \/ --users ops@pve --tokens 'ops@pve!care' --roles CoulisseObserve,Coulisse/m)
  expect(out).toMatch(/^ceph auth get-or-create client\.coulisse mon /m)
  expect(out).not.toMatch(/Sys\.Modify/)
})
