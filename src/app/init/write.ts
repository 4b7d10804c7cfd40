/** The gathered setup as a configuration with comments; typed secrets into files of mode 600 beside it. */
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Document, isMap, isScalar, type Pair } from 'yaml'
import { BadInput } from '../bad-input.ts'
import type { SecretRef } from '../config/secret-schema.ts'
import type { NodePart } from './nodes-part.ts'
import type { GivenSecret } from './secrets.ts'
import type { Setup } from './setup.ts'

const SECRETS_FOLDER = 'secrets'

const COMMENTS: Readonly<Record<string, string>> = {
  cluster:
    ' Written by coulisse init. Secrets stand in files or the environment, never here.\n Every key: docs/operations.md',
  hoster: ' Whose name the customers’ pages carry.',
  proxmox: ' At least two nodes: the one that is drained is never asked.',
  ssh: ' A key that its line in authorized_keys limits to what it is used for: ./coulisse init --print-authorized-keys',
  ceph: ' none, proxmox (noout for the whole cluster only), or how the ceph command reaches it.',
  nodes: ' Who a node is, by dmidecode on the node itself: its BMC is proven against serial and systemUuid.',
  customers:
    ' A guest belongs to the first part of its pool: acorn/web is acorn’s. language: en, fr or es; mail: where its report goes.',
  policy: ' Who approves and when: docs/operations.md. Left out, one person does, at any hour.',
}

/** Said before the first question: nothing is written over. Throws BadInput. */
export function refuseExisting(path: string, force: boolean): void {
  if (existsSync(path) && !force) throw new BadInput([`${path}: is there already; --force writes over it`])
}

/** Answers the files that hold secrets. */
export function writeSetup(path: string, setup: Setup): readonly string[] {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true })
  const written: string[] = []
  const refOf = (given: GivenSecret): SecretRef => {
    if (given.is === 'named') return given.ref
    const file = join(SECRETS_FOLDER, given.file)
    if (!written.includes(file)) {
      writeSecret(folder, given)
      written.push(file)
    }
    return { file }
  }
  const text = yamlOf(setup, refOf)
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
  return written.map((file) => join(folder, file))
}

/** An older file's wider mode would outlive a write: it is closed first. */
function writeSecret(folder: string, given: Extract<GivenSecret, { is: 'typed' }>): void {
  const secrets = join(folder, SECRETS_FOLDER)
  mkdirSync(secrets, { recursive: true, mode: 0o700 })
  chmodSync(secrets, 0o700)
  const path = join(secrets, given.file)
  if (existsSync(path)) chmodSync(path, 0o600)
  writeFileSync(path, `${given.value.reveal()}\n`, { mode: 0o600 })
}

function yamlOf(setup: Setup, refOf: (given: GivenSecret) => SecretRef): string {
  const { proxmox } = setup
  const tokenSecret = refOf(proxmox.tokenSecret)
  const content = {
    cluster: proxmox.seen.cluster,
    hoster: 'Your hoster',
    stateDir: setup.stateDir,
    listen: '127.0.0.1:8300',
    database: setup.database === undefined ? undefined : { url: refOf(setup.database) },
    proxmox: {
      entryPoints: proxmox.entries.map(({ node, url, fingerprint256 }) => ({
        node,
        url,
        tokenId: proxmox.tokenId,
        tokenSecret,
        fingerprint256,
      })),
      haManager: setup.ssh === undefined ? undefined : 'ssh',
    },
    ssh: setup.ssh,
    ceph: cephOf(setup),
    nodes: Object.fromEntries(setup.nodes.map((part) => [part.node, nodeOf(part, refOf(part.password))])),
    customers: Object.fromEntries(proxmox.seen.customers.map((id) => [id, { name: id, language: 'en' }])),
    smtp: setup.smtp,
    operatorMail: setup.operatorMail,
    technicianMail: setup.technicianMail,
    lab: setup.lab === undefined ? undefined : { control: setup.lab },
    policy: {},
  }
  // Through JSON: what is undefined is left out, and one object twice is no alias.
  const document = new Document(JSON.parse(JSON.stringify(content)))
  if (isMap(document.contents)) for (const pair of document.contents.items) comment(pair)
  return document.toString({ lineWidth: 0 })
}

const cephOf = ({ ceph, ssh }: Setup) =>
  typeof ceph === 'string' || ssh === undefined ? ceph : { ...ceph, stopOsds: 'ssh' }

function comment({ key }: Pair): void {
  const text = isScalar(key) ? COMMENTS[String(key.value)] : undefined
  if (!isScalar(key) || text === undefined) return
  key.commentBefore = text
  key.spaceBefore = key.value !== 'cluster'
}

function nodeOf({ serial, systemUuid, place, bmc }: NodePart, password: SecretRef): object {
  return { ...place, serial, systemUuid, bmc: { ...bmc, password } }
}
