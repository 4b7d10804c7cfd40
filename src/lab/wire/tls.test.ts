import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { selfSignedCertificate } from './tls.ts'

const NOW_MS = Date.parse('2026-11-22T12:00:00Z')

test('the certificate verifies against its own key, for its host and for 127.0.0.1', () => {
  const made = selfSignedCertificate('pve1', NOW_MS)
  const certificate = new X509Certificate(made.cert)
  expect(certificate.verify(certificate.publicKey)).toBe(true)
  expect(certificate.fingerprint256).toBe(made.fingerprint256)
  expect(certificate.checkHost('pve1')).toBe('pve1')
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
  expect(Date.parse(certificate.validFrom)).toBe(NOW_MS - 86_400_000)
})

test('a TLS client that trusts it connects, and sees the fingerprint that was promised', async () => {
  const made = selfSignedCertificate('pve1', NOW_MS)
  const server = createServer({ key: made.key, cert: made.cert })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const seen = await new Promise<{ authorized: boolean; fingerprint: string }>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: made.cert, servername: 'localhost' }, () => {
      resolve({ authorized: socket.authorized, fingerprint: socket.getPeerCertificate().fingerprint256 })
      socket.end()
    })
    socket.on('error', reject)
  })
  await new Promise((resolve) => server.close(resolve))
  expect(seen).toEqual({ authorized: true, fingerprint: made.fingerprint256 })
})
