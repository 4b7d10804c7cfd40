/** Asks for a whole configuration: entry points, token, Ceph, nodes and BMCs, mail. What flags say is not asked. */
import type { NodeRight } from '#drivers/exec/node-key'
import { BadInput } from '../bad-input.ts'
import { type Asker, askUntil } from './asker.ts'
import type { InitFlags } from './flags.ts'
import { gatherNodes, type NodePart } from './nodes-part.ts'
import { gatherProxmox, type ProxmoxPart } from './proxmox-part.ts'
import { cephUserCommand } from './rights.ts'
import { type GivenSecret, namedSecret } from './secrets.ts'
import { gatherSsh, type SshPart } from './ssh-part.ts'

export type CephPart = 'none' | 'proxmox' | { readonly conf: string; readonly keyring: string; readonly name: string }

export type Setup = {
  readonly proxmox: ProxmoxPart
  readonly ceph: CephPart
  readonly nodes: readonly NodePart[]
  readonly ssh: SshPart | undefined
  readonly smtp: { readonly host: string; readonly port: number; readonly from: string } | undefined
  readonly operatorMail: string | undefined
  readonly technicianMail: string | undefined
  readonly database: GivenSecret | undefined
  readonly stateDir: string
  readonly lab: string | undefined
}

export async function gatherSetup(flags: InitFlags, asker: Asker): Promise<Setup> {
  const proxmox = await gatherProxmox(flags, asker)
  const ceph = await gatherCeph(proxmox, flags, asker)
  const names = proxmox.seen.nodes.map(({ name }) => name)
  const nodes = await gatherNodes(names, flags, asker)
  const ssh = await gatherSsh({ nodes: names, rights: sshRights(typeof ceph !== 'string') }, flags, asker)
  const mail = await gatherMail(flags, asker)
  return {
    proxmox,
    ceph,
    nodes,
    ssh,
    ...mail,
    database: flags.database === undefined ? undefined : namedSecret('--database', flags.database),
    stateDir: flags.state,
    lab: flags.lab,
  }
}

/** Ceph by its own command may have its OSDs stopped in order, by the same key. */
export const sshRights = (isCephByCommand: boolean): readonly NodeRight[] =>
  isCephByCommand ? ['maintenance-mode', 'stop-osd'] : ['maintenance-mode']

async function gatherCeph({ seen }: ProxmoxPart, flags: InitFlags, asker: Asker): Promise<CephPart> {
  const { cephConf: conf, cephKeyring: keyring, cephName: name } = flags
  if (seen.hasCeph === false && flags.ceph === undefined) {
    asker.say('The cluster has no Ceph.')
    return 'none'
  }
  const choice = await askUntil(
    asker,
    {
      question:
        'Ceph by its own command on this machine, or through proxmox (noout for the whole cluster only), or none',
      flag: '--ceph',
      preset: 'command',
    },
    { given: flags.ceph, parse: parseCephChoice },
  )
  if (choice !== 'command') return choice
  asker.say(
    'This makes a Ceph user that may set noout on one host, keep its lease, and little else; on a node, as root:',
  )
  asker.say(`  ${cephUserCommand(keyring)}`)
  asker.say(`Then bring ${conf} and that keyring to this machine.`)
  return { conf, keyring, name }
}

function parseCephChoice(text: string): 'none' | 'proxmox' | 'command' {
  if (text === 'none' || text === 'proxmox' || text === 'command') return text
  throw new BadInput([`--ceph: none, proxmox or command, not ${text}`])
}

async function gatherMail(
  flags: InitFlags,
  asker: Asker,
): Promise<Pick<Setup, 'smtp' | 'operatorMail' | 'technicianMail'>> {
  const server = await askUntil(
    asker,
    { question: 'Mail server, HOST or HOST:PORT (Enter: none)', flag: '--smtp', preset: '' },
    { given: flags.smtp, parse: parseServer },
  )
  if (server === undefined)
    return { smtp: undefined, operatorMail: flags.operatorMail, technicianMail: flags.technicianMail }
  const address = async (question: string, flag: string, given: string | undefined, preset?: string) =>
    given ?? (await asker.ask({ question, flag, ...(preset === undefined ? {} : { preset }) }))
  const from = await address('Mails come from', '--mail-from', flags.mailFrom, 'coulisse@localhost')
  const operator = await address('Mail of those who approve (Enter: none)', '--operator-mail', flags.operatorMail, '')
  const technician = await address(
    'Mail of those who repair (Enter: none)',
    '--technician-mail',
    flags.technicianMail,
    '',
  )
  return {
    smtp: { ...server, from },
    operatorMail: operator === '' ? undefined : operator,
    technicianMail: technician === '' ? undefined : technician,
  }
}

function parseServer(text: string): { readonly host: string; readonly port: number } | undefined {
  if (text === '') return undefined
  const [, host = '', port = '25'] = /^([\w.-]+|\[[0-9a-f:]+\])(?::(\d{1,5}))?$/i.exec(text) ?? []
  if (host === '') throw new BadInput([`--smtp: HOST or HOST:PORT, not ${text}`])
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}
