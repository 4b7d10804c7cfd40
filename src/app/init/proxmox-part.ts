/** The entry points and the token: asked, tried, and never written before they worked. */
import { DriverError } from '#domain/driver-error'
import { BadInput } from '../bad-input.ts'
import { type Asker, askUntil } from './asker.ts'
import type { InitFlags } from './flags.ts'
import { lookAtCluster, type SeenCluster, type Token } from './look.ts'
import { tokenCommands } from './rights.ts'
import { type GivenSecret, namedSecret } from './secrets.ts'
import { trustedFingerprint } from './trust.ts'

export const DEFAULT_TOKEN_ID = 'coulisse@pve!coulisse'
const API_PORT = 8006
const SECRET_FILE = 'proxmox-token'
const TOKEN_TRIES_LIMIT = 3
const ENTRY_TRIES_LIMIT = 20
const TOKEN_ID = /^[^@!\s]+@[^@!\s]+![^@!\s]+$/

export type SeenEntry = { readonly url: string; readonly node: string | undefined; readonly fingerprint256: string }

export type ProxmoxPart = {
  readonly tokenId: string
  readonly tokenSecret: GivenSecret
  readonly entries: readonly SeenEntry[]
  readonly seen: SeenCluster
}

export async function gatherProxmox(flags: InitFlags, asker: Asker): Promise<ProxmoxPart> {
  const url = await askUntil(
    asker,
    { question: 'Address of one node of the cluster', flag: '--entry-point' },
    { given: flags.entryPoint[0], parse: parseUrl },
  )
  const fingerprint256 = await trustedNode(url, flags, asker)
  const { tokenId, tokenSecret, seen } = await gatherToken({ url, fingerprint256 }, flags, asker)
  asker.say(
    `Cluster ${seen.cluster}, Proxmox VE ${seen.version}, nodes ${seen.nodes.map(({ name }) => name).join(', ')}.`,
  )
  const first: SeenEntry = { url, node: seen.node, fingerprint256 }
  const token = { tokenId, tokenSecret: tokenSecret.value }
  const more =
    flags.entryPoint.length > 1
      ? await namedEntries(flags.entryPoint.slice(1), { flags, asker, token, seen })
      : await offeredEntries(first, { flags, asker, token, seen })
  return { tokenId, tokenSecret, entries: [first, ...more], seen }
}

/** 'pve1.example', 'pve1.example:8006' and 'https://pve1.example:8006' are one address. Throws BadInput. */
function parseUrl(text: string): string {
  const whole = text.includes('://') ? text.trim() : `https://${text.trim()}`
  if (!URL.canParse(whole) || !whole.startsWith('https://')) throw new BadInput([`${text} is no https address`])
  const url = new URL(whole)
  const isPortGiven = /:\d+\/?$/.test(whole)
  return `https://${isPortGiven ? url.host : `${url.hostname}:${API_PORT}`}`
}

const trustedNode = (url: string, flags: InitFlags, asker: Asker) =>
  trustedFingerprint(
    {
      what: 'This node',
      url,
      compare:
        'on the node: openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/pve-ssl.pem (or pveproxy-ssl.pem)',
    },
    flags,
    asker,
  )

async function gatherToken(
  entry: { readonly url: string; readonly fingerprint256: string },
  flags: InitFlags,
  asker: Asker,
) {
  if (flags.tokenSecret === undefined) {
    asker.say(
      'Coulisse needs an API token. These make it with the rights that it needs, on any node as root; the secret is shown once:',
    )
    for (const line of tokenCommands(flags.tokenId ?? DEFAULT_TOKEN_ID, { viaProxmox: flags.ceph === 'proxmox' })) {
      asker.say(`  ${line}`)
    }
  }
  const tokenId = await askUntil(
    asker,
    { question: 'Token', flag: '--token-id', preset: DEFAULT_TOKEN_ID },
    { given: flags.tokenId, parse: parseTokenId },
  )
  for (let tries = 1; ; tries++) {
    const tokenSecret = await gatherSecret(flags, asker)
    try {
      const seen = await lookAtCluster({ ...entry, tokenId, tokenSecret: tokenSecret.value })
      return { tokenId, tokenSecret, seen }
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      if (!asker.isPerson || flags.tokenSecret !== undefined || tries >= TOKEN_TRIES_LIMIT) throw withAdvice(error)
      asker.say(`  ${error.message}`)
    }
  }
}

/** Whatever else went wrong, a token that is refused is made anew. */
function withAdvice(error: DriverError): Error {
  const advice = './coulisse init --print-rights shows the commands that make a token with its rights'
  return /\b40[13]\b/.test(error.message) ? new Error(`${error.message}; ${advice}`, { cause: error }) : error
}

function parseTokenId(text: string): string {
  if (!TOKEN_ID.test(text)) throw new BadInput([`--token-id: ${text} is no token: USER@REALM!ID`])
  return text
}

async function gatherSecret(flags: InitFlags, asker: Asker): Promise<GivenSecret> {
  if (flags.tokenSecret !== undefined) return namedSecret('--token-secret', flags.tokenSecret)
  const value = await asker.askSecret({ question: 'Its secret', flag: '--token-secret file:PATH or env:NAME' })
  if (value === undefined) throw new BadInput(['--token-secret: without it nothing can be looked at'])
  return { is: 'typed', file: SECRET_FILE, value }
}

type Known = { readonly flags: InitFlags; readonly asker: Asker; readonly token: Token; readonly seen: SeenCluster }

/** Each must be a member of the same cluster. */
async function namedEntries(
  urls: readonly string[],
  { flags, asker, token, seen }: Known,
): Promise<readonly SeenEntry[]> {
  const entries: SeenEntry[] = []
  for (const text of urls) {
    const url = parseUrl(text)
    const fingerprint256 = await trustedNode(url, flags, asker)
    const { cluster, node } = await lookAtCluster({ ...token, url, fingerprint256 })
    if (cluster !== seen.cluster)
      throw new BadInput([`--entry-point: ${url} is of cluster ${cluster}, not ${seen.cluster}`])
    entries.push({ url, node, fingerprint256 })
  }
  return entries
}

/** A drained node's own API is left alone: one more is needed, and offered to a person by the addresses that the cluster tells. */
async function offeredEntries(first: SeenEntry, { flags, asker, token, seen }: Known): Promise<readonly SeenEntry[]> {
  const others = seen.nodes.filter(({ name, ip }) => name !== first.node && ip !== undefined)
  if (!asker.isPerson || others.length === 0) return []
  asker.say(
    'One more entry point is needed at least: the node that is drained is never asked. Enter alone ends the list.',
  )
  const entries: SeenEntry[] = []
  for (let tries = 0; tries < ENTRY_TRIES_LIMIT && entries.length < others.length; tries++) {
    const next = others[entries.length]
    const address = next?.ip?.includes(':') ? `[${next.ip}]` : next?.ip
    const answer = await asker.ask({
      question: `Another node’s address${entries.length === 0 ? ` (${next?.name} is ${address})` : ''}`,
      flag: '--entry-point',
      preset: '',
    })
    if (answer === '') break
    try {
      entries.push(...(await namedEntries([answer], { flags, asker, token, seen })))
    } catch (error) {
      if (!(error instanceof DriverError || error instanceof BadInput)) throw error
      asker.say(`  ${error.message}`)
    }
  }
  return entries
}
