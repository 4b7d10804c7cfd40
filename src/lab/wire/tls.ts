/** A self-signed certificate made at start, so that the lab's servers speak TLS without files and without openssl. */
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'

export type LabCertificate = {
  /** PEM, for node:https. */
  readonly key: string
  readonly cert: string
  /** SHA-256 over the DER form, as Proxmox and node:tls print it: 'AB:CD:…'. What a client pins. */
  readonly fingerprint256: string
}

const VALID_DAYS = 825
const DAY_MS = 86_400_000

/** DER: tag, length (short or long form), contents (ITU-T X.690). */
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const hex = body.length.toString(16)
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body])
}

const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts)
const set = (...parts: readonly Uint8Array[]) => der(0x31, ...parts)
const octets = (body: Uint8Array) => der(0x04, body)
const bits = (body: Uint8Array) => der(0x03, Buffer.from([0]), body)
const text = (value: string) => der(0x0c, Buffer.from(value, 'utf8'))
const explicit = (index: number, body: Uint8Array) => der(0xa0 | index, body)
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const yes = der(0x01, Buffer.from([0xff]))

const COMMON_NAME = oid('550403')
const ECDSA_WITH_SHA256 = oid('2a8648ce3d040302')
const BASIC_CONSTRAINTS = oid('551d13')
const SUBJECT_ALT_NAME = oid('551d11')

/** A DER integer is signed: a leading zero keeps a random serial positive. */
const positive = (body: Uint8Array) => der(0x02, Buffer.concat([Buffer.from([0x00]), body]))

/** UTCTime up to 2049, as RFC 5280 wants it. */
function time(atMs: number): Buffer {
  const digits = new Date(atMs).toISOString().slice(2, 19).replaceAll(/[-:T]/g, '')
  return der(0x17, Buffer.from(`${digits}Z`, 'ascii'))
}

function extensions(host: string): Buffer {
  const localhost = der(0x82, Buffer.from('localhost', 'ascii'))
  const name = der(0x82, Buffer.from(host, 'ascii'))
  const loopback = der(0x87, Buffer.from([127, 0, 0, 1]))
  return explicit(
    3,
    sequence(
      sequence(BASIC_CONSTRAINTS, yes, octets(sequence(yes))),
      sequence(SUBJECT_ALT_NAME, octets(sequence(name, localhost, loopback))),
    ),
  )
}

/** A fresh P-256 key and certificate for `host`, localhost and 127.0.0.1; valid from a day before `nowMs`. */
export function selfSignedCertificate(host: string, nowMs: number): LabCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const name = sequence(set(sequence(COMMON_NAME, text(host))))
  const serial = randomBytes(15)
  serial[0] = (serial[0] ?? 0) | 0x80
  const toBeSigned = sequence(
    explicit(0, der(0x02, Buffer.from([2]))),
    positive(serial),
    sequence(ECDSA_WITH_SHA256),
    name,
    sequence(time(nowMs - DAY_MS), time(nowMs + VALID_DAYS * DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions(host),
  )
  const signature = sign('sha256', toBeSigned, privateKey)
  const certificate = sequence(toBeSigned, sequence(ECDSA_WITH_SHA256), bits(signature))
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: new X509Certificate(certificate).toString(),
    fingerprint256: fingerprintOf(certificate),
  }
}

/** 'AB:CD:…' over a certificate's DER form. */
function fingerprintOf(certificate: Uint8Array): string {
  const hex = createHash('sha256').update(certificate).digest('hex').toUpperCase()
  return (hex.match(/../g) ?? []).join(':')
}
