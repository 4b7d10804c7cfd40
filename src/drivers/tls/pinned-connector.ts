/** A TLS connection to exactly one certificate: compared before the socket is handed to anybody who could write to it. */
import type { TLSSocket } from 'node:tls'
import { buildConnector } from 'undici'

export class WrongCertificate extends Error {
  override readonly name = 'WrongCertificate'
}

/** @param fingerprint256 SHA-256 of the certificate, 'AB:CD:…'; case does not matter. */
export function pinnedConnector(fingerprint256: string, timeoutMs: number): buildConnector.connector {
  const wanted = fingerprint256.toUpperCase()
  // The pin is the whole trust: such machines sign their own certificates. No session cache: a resumed session shows no certificate.
  const connect = buildConnector({ rejectUnauthorized: false, timeout: timeoutMs, maxCachedSessions: 0 })
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error !== null) return callback(error, null)
      const seen = (socket as TLSSocket).getPeerCertificate?.()?.fingerprint256 ?? 'none'
      if (seen === wanted) return callback(null, socket)
      socket.destroy()
      callback(new WrongCertificate(`the certificate is ${seen}, pinned is ${wanted}: nothing was sent`), null)
    })
  }
}
