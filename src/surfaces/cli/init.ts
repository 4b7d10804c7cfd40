/** `coulisse init`: asks, tries and writes the configuration, and says what is missing still. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { BadInput } from '#app/bad-input'
import { examine } from '#app/doctor/doctor'
import { nobody } from '#app/init/asker'
import type { InitFlags } from '#app/init/flags'
import { readNodesFile } from '#app/init/nodes-part'
import { DEFAULT_TOKEN_ID } from '#app/init/proxmox-part'
import { cephUserCommand, tokenCommands } from '#app/init/rights'
import { gatherSetup, sshRights } from '#app/init/setup'
import { nodeSteps, parseRights } from '#app/init/ssh-part'
import { refuseExisting, writeSetup } from '#app/init/write'
import { doctorText } from './doctor.ts'
import { terminalAsker } from './init-terminal.ts'

type Lists = 'entryPoint' | 'fingerprint' | 'bmc' | 'bmcPassword'

type Options = Omit<InitFlags, Lists | 'trustOnFirstUse'> & {
  readonly [list in Lists]?: readonly string[]
} & {
  readonly trustOnFirstUse?: boolean
  readonly out: string
  readonly force?: boolean
  readonly nonInteractive?: boolean
  readonly printRights?: boolean
  readonly printAuthorizedKeys?: boolean
  readonly keyRights?: string
  readonly keyFrom?: string
}

const HELP = `
It signs in, shows each certificate before anything is sent to it, lists the nodes that it finds, tries every BMC, writes the
file, and runs the doctor. What a flag says is not asked. Secrets are named, file:PATH or env:NAME; those that you type are
written to files of mode 600 beside the configuration, never into it.

  The nodes' file has a line each: node,serial,uuid[,site,room,rack,unit[,bmc]]
  A BMC is redfish://USER@HOST[:PORT] or ipmi://USER@HOST[:PORT]

  coulisse init
  coulisse init --print-rights
  coulisse init --print-authorized-keys --ssh-key /etc/coulisse/id_ed25519 --nodes nodes.csv
  coulisse init --non-interactive --entry-point pve1.example --entry-point pve2.example \\
    --fingerprint AA:… --fingerprint BB:… --token-secret file:/etc/coulisse/token \\
    --nodes nodes.csv --bmc-password env:BMC_PASSWORD --smtp mail.example --operator-mail noc@example.net

Exit: 0 it is written (whatever the doctor says of it); 1 something did not answer; 2 bad input. Without 0 nothing is written.`

export function addInitCommand(program: Command): void {
  program
    .command('init')
    .description('connect a cluster: asks, tries and writes the configuration, and says what is missing')
    .option('--out <FILE>', 'where it is written', 'coulisse.yaml')
    .option('--force', 'write over a file that is there')
    .option('--non-interactive', 'ask nobody: what no flag says is a fault, or its preset')
    .option('--print-rights', 'print the commands that give Coulisse its rights, and nothing else')
    .option('--print-authorized-keys', 'print the steps by which nodes take the key of --ssh-key, and nothing else')
    .option('--key-rights <LIST>', 'of these: maintenance-mode,stop-osd,ceph (preset: what --ceph makes it good for)')
    .option('--key-from <ADDRESSES>', 'the only addresses that may use that key')
    .option('--entry-point <URL>', 'a node’s API; at least two nodes (repeat)', gather)
    .option('--fingerprint <SHA256>', 'a certificate to trust, of a node or a BMC (repeat)', gather)
    .option('--trust-on-first-use', 'trust the certificates as they are shown')
    .option('--token-id <USER@REALM!ID>', `the API token (preset: ${DEFAULT_TOKEN_ID})`)
    .option('--token-secret <SECRET>', 'its secret')
    .option('--nodes <FILE>', 'serial, UUID, place and BMC of each node')
    .option('--bmc <NODE=ADDRESS>', 'a node’s BMC (repeat)', gather)
    .option('--bmc-password <[NODE=]SECRET>', 'the password of one BMC, or of all (repeat)', gather)
    .option('--ceph <WAY>', 'command, proxmox or none (preset: command where there is Ceph)')
    .option('--ceph-conf <FILE>', 'for command', '/etc/ceph/ceph.conf')
    .option('--ceph-keyring <FILE>', 'for command', '/etc/coulisse/ceph.client.coulisse.keyring')
    .option('--ceph-name <NAME>', 'for command', 'client.coulisse')
    .option('--ssh-key <FILE>', 'the private key for HA’s maintenance mode; its public half beside it')
    .option('--smtp <HOST[:PORT]>', 'mail server')
    .option('--mail-from <ADDRESS>', 'whom mails come from')
    .option('--operator-mail <ADDRESS>', 'who approves')
    .option('--technician-mail <ADDRESS>', 'who repairs')
    .option('--state <DIR>', 'the control plane’s own folder', '/var/lib/coulisse')
    .option('--database <SECRET>', 'address of a PostgreSQL (preset: its own)')
    .option('--lab <URL>', 'a lab’s control URL: it owns the time')
    .addHelpText('after', HELP)
    .action(init)
}

const gather = (one: string, before: readonly string[] = []) => [...before, one]

async function init(options: Options): Promise<void> {
  if (options.printRights === true) return printRights(options)
  if (options.printAuthorizedKeys === true) return printAuthorizedKeys(options)
  const path = resolve(options.out)
  refuseExisting(path, options.force === true)
  const say = (text: string) => void process.stdout.write(`${text}\n`)
  const terminal =
    options.nonInteractive === true
      ? { asker: nobody(say), close: () => {} }
      : terminalAsker(process.stdin, process.stdout, process.stdin.isTTY === true)
  try {
    const secrets = writeSetup(path, await gatherSetup(flagsOf(options), terminal.asker))
    say(`\n${path} is written.`)
    for (const secret of secrets) say(`  its secret: ${secret} (mode 600)`)
  } finally {
    terminal.close()
  }
  say('\nThe doctor looks at it:\n')
  say(doctorText(await examine(path)))
  say(`Once nothing is dangerous: ./coulisse serve --config ${path}`)
}

function flagsOf(options: Options): InitFlags {
  const { entryPoint = [], fingerprint = [], bmc = [], bmcPassword = [], trustOnFirstUse = false } = options
  return { ...options, entryPoint, fingerprint, bmc, bmcPassword, trustOnFirstUse }
}

/** The nodes' names from their file, else a word to put them in. */
function printAuthorizedKeys({ sshKey, nodes, ceph = 'command', keyRights, keyFrom }: Options): void {
  if (sshKey === undefined) throw new BadInput(['--ssh-key: is needed: the key whose public half goes to the nodes'])
  const names = nodes === undefined ? ['NODE'] : readNodesFile(nodes).map(({ node }) => node)
  const rights = keyRights === undefined ? sshRights(ceph === 'command') : parseRights(keyRights)
  const from = keyFrom === undefined ? {} : { from: keyFrom }
  process.stdout.write(`${nodeSteps(sshKey, { nodes: names, rights, ...from }).join('\n')}\n`)
}

function printRights({ tokenId = DEFAULT_TOKEN_ID, ceph = 'command', cephKeyring }: Options): void {
  const lines = [
    '# on any node of the cluster, as root: the API token',
    ...tokenCommands(tokenId, { viaProxmox: ceph === 'proxmox' }),
    ...(ceph === 'command' ? ['', '# where ceph works, as root: the Ceph user', cephUserCommand(cephKeyring)] : []),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
