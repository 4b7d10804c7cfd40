/** What a person does once so that the nodes take our ssh key, and let it do no more than it must. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { authorizedKeysLine, installSteps, NODE_RIGHTS, type NodeRight } from '#drivers/exec/node-key'
import { BadInput } from '../bad-input.ts'

export type NodeKey = {
  /** The file that ssh-keygen wrote beside the private key. */
  readonly publicKey: string
  /** 'maintenance-mode,stop-osd' */
  readonly rights: string
  readonly from?: string
  readonly nodes: readonly string[]
}

/** Lines to read and to paste, the line of authorized_keys among them. Throws BadInput. */
export function nodeKeySteps({ publicKey, rights, from, nodes }: NodeKey): readonly string[] {
  const line = authorizedKeysLine({
    publicKey: readPublicKey(publicKey),
    rights: rights.split(',').map(parseRight),
    ...(from === undefined ? {} : { from }),
  })
  if (line === undefined) {
    throw new BadInput([`${publicKey}: holds no public key of one line, or --key-from no list of addresses`])
  }
  return installSteps({ line, nodes, knownHosts: join(dirname(publicKey), 'known_hosts') })
}

function readPublicKey(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    const make = `ssh-keygen -t ed25519 -N '' -C coulisse -f ${path.replace(/\.pub$/, '')}`
    throw new BadInput([`${path}: cannot be read; to make a key: ${make}`])
  }
}

function parseRight(text: string): NodeRight {
  const right = NODE_RIGHTS.find((one) => one === text.trim())
  if (right === undefined) throw new BadInput([`--key-rights: ${NODE_RIGHTS.join(', ')}, not ${text}`])
  return right
}
