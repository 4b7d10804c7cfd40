/** The certificate that a server shows to anybody: looked at before there is a pin, and before anything is sent. */
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { DriverError } from '#domain/driver-error'

export type SeenCertificate = {
  /** 'AB:CD:…', as pinnedConnector takes it. */
  readonly fingerprint256: string
  readonly subject: string
  readonly issuer: string
  /** As the certificate says it: 'Nov 22 15:54:00 2027 GMT'. */
  readonly validTo: string
}

/** @throws DriverError 'later' where nobody answers, 'never' where what answers speaks no TLS */
export function seenCertificate(url: string, timeoutMs: number): Promise<SeenCertificate> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return new Promise((resolve, reject) => {
    const fail = (retry: 'later' | 'never', text: string) => {
      socket.destroy()
      reject(new DriverError('tls', `look at the certificate of ${url}`, { retry, text }))
    }
    const socket = connect({
      host,
      port: Number(port || 443),
      rejectUnauthorized: false,
      timeout: timeoutMs,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    })
    socket.once('timeout', () => fail('later', `no answer within ${timeoutMs} ms`))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isTls = error.code?.startsWith('ERR_SSL') === true
      fail(isTls ? 'never' : 'later', isTls ? 'what answers there speaks no TLS' : error.message || String(error.code))
    })
    socket.once('secureConnect', () => {
      const { fingerprint256, subject, issuer, valid_to } = socket.getPeerCertificate()
      socket.destroy()
      resolve({ fingerprint256, subject: nameOf(subject), issuer: nameOf(issuer), validTo: valid_to })
    })
  })
}

/** Names in certificates may come twice. */
function nameOf(name: { readonly CN?: string | string[]; readonly O?: string | string[] } | undefined): string {
  return [name?.CN ?? name?.O ?? 'nobody'].flat().join(', ')
}
