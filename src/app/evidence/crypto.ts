/** The hash and the signature of Node, as evidence wants them. */
import { createHash, createPublicKey, verify } from 'node:crypto'
import type { Sha256 } from '#domain/merkle'
import type { VerifySignature } from '#domain/tree-head'

export const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')

/** What RFC 8410 puts before a raw Ed25519 key. */
const DER_HEAD = Buffer.from('302a300506032b6570032100', 'hex')

/** Lower-case hex and nothing else: one signature has one spelling. */
export const verifySignature: VerifySignature = (text, publicKey, signature) => {
  if (!/^[0-9a-f]{64}$/.test(publicKey) || !/^[0-9a-f]{128}$/.test(signature)) return false
  const key = createPublicKey({
    key: Buffer.concat([DER_HEAD, Buffer.from(publicKey, 'hex')]),
    format: 'der',
    type: 'spki',
  })
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'hex'))
}
