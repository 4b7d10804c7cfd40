/** The ssh key for what no API offers: HA's maintenance mode, and OSDs that are stopped in order. */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { authorizedKeysLine, installSteps, NODE_RIGHTS, type NodeRight } from '#drivers/exec/node-key'
import { BadInput } from '../bad-input.ts'
import { type Asker, askUntil } from './asker.ts'
import type { InitFlags } from './flags.ts'

export type SshPart = { readonly key: string; readonly knownHosts: string }

/** `rights`: what the key will be used for; its line in authorized_keys allows no more. Undefined: none is given yet. */
export async function gatherSsh(
  { nodes, rights }: { readonly nodes: readonly string[]; readonly rights: readonly NodeRight[] },
  flags: Pick<InitFlags, 'sshKey'>,
  asker: Asker,
): Promise<SshPart | undefined> {
  if (asker.isPerson && flags.sshKey === undefined) {
    asker.say(
      'HA’s maintenance mode is set by a command on a node, over ssh. A key for that alone: ssh-keygen -t ed25519 -N "" -f FILE',
    )
  }
  const question = { question: 'That key’s file (Enter: none yet)', flag: '--ssh-key', preset: '' }
  const found = await askUntil(asker, question, {
    given: flags.sshKey,
    parse: (file) => (file === '' ? undefined : { ssh: sshPartOf(file), steps: nodeSteps(file, { nodes, rights }) }),
  })
  if (found === undefined) return undefined
  asker.say('The nodes take that key after these steps:')
  for (const step of found.steps) asker.say(`  ${step}`)
  return found.ssh
}

function sshPartOf(file: string): SshPart {
  const key = resolve(file)
  return { key, knownHosts: join(dirname(key), 'known_hosts') }
}

/** What a person types once; throws BadInput where the public half of the key does not lie beside it, or is none. */
export function nodeSteps(
  file: string,
  {
    nodes,
    rights,
    from,
  }: { readonly nodes: readonly string[]; readonly rights: readonly NodeRight[]; readonly from?: string },
): readonly string[] {
  const half = `${resolve(file)}.pub`
  let publicKey: string
  try {
    publicKey = readFileSync(half, 'utf8')
  } catch {
    throw new BadInput([`--ssh-key: ${half}: cannot be read; ssh-keygen -t ed25519 -N "" -f ${file} makes both halves`])
  }
  const line = authorizedKeysLine({ publicKey, rights, ...(from === undefined ? {} : { from }) })
  if (line !== undefined) return installSteps({ line, nodes, knownHosts: sshPartOf(file).knownHosts })
  throw new BadInput([
    from === undefined
      ? `--ssh-key: ${half}: is no public key of one line`
      : `--ssh-key, --key-from: ${half} is no public key of one line, or ${from} is no list of addresses`,
  ])
}

/** 'maintenance-mode,stop-osd'. Throws BadInput. */
export function parseRights(list: string): readonly NodeRight[] {
  return list.split(',').map((text) => {
    const right = NODE_RIGHTS.find((one) => one === text.trim())
    if (right === undefined) throw new BadInput([`--key-rights: ${NODE_RIGHTS.join(', ')}, not ${text}`])
    return right
  })
}
