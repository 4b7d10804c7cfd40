/** `redfish://USER@HOST[:PORT]` or `ipmi://USER@HOST[:PORT]`: a BMC on one line. Pure. */
import { BadInput } from '../bad-input.ts'

export type BmcAddress =
  | { readonly kind: 'redfish'; readonly url: string; readonly user: string }
  | { readonly kind: 'ipmi'; readonly host: string; readonly port: number; readonly user: string }

const IPMI_PORT = 623

/** A password in it is refused, and not repeated. Throws BadInput. */
export function parseBmcAddress(flag: string, text: string): BmcAddress {
  const form = 'redfish://USER@HOST[:PORT] or ipmi://USER@HOST[:PORT]'
  const [, kind, user = '', rest = ''] = /^(redfish|ipmi):\/\/([^@/]+)@([^@/\s]+)\/?$/.exec(text.trim()) ?? []
  if (kind === undefined) throw new BadInput([`${flag}: ${form}`])
  if (user.includes(':')) throw new BadInput([`${flag}: without the password: ${form}`])
  const name = decodeURIComponent(user)
  if (!URL.canParse(`https://${rest}`)) throw new BadInput([`${flag}: ${rest} is no host`])
  if (kind === 'redfish') return { kind, url: `https://${rest}`, user: name }
  const { hostname, port } = new URL(`https://${rest}`)
  return { kind: 'ipmi', host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || IPMI_PORT), user: name }
}
