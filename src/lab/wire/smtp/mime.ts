/** Reads the mails that our own notifier writes: headers, one level of multipart, quoted-printable and base64. */

export type ParsedMail = {
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
  readonly html?: string
}

export function parseMail(raw: string): ParsedMail {
  const { headers, body } = splitHead(raw)
  const boundary = /boundary="?([^";]+)"?/i.exec(headers.get('content-type') ?? '')?.[1]
  if (boundary === undefined) return { headers, text: decodeBody(headers, body) }
  const parts = body
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => splitHead(part.replace(/^\r\n/, '')))
  const partOf = (type: string) => parts.find((part) => part.headers.get('content-type')?.startsWith(type))
  const [text, html] = [partOf('text/plain'), partOf('text/html')]
  return {
    headers,
    text: text === undefined ? '' : decodeBody(text.headers, text.body),
    ...(html === undefined ? {} : { html: decodeBody(html.headers, html.body) }),
  }
}

function splitHead(raw: string) {
  const end = raw.indexOf('\r\n\r\n')
  const head = (end < 0 ? raw : raw.slice(0, end)).replaceAll(/\r\n[ \t]+/g, ' ')
  const headers = new Map<string, string>()
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 1).trim()))
  }
  return { headers, body: end < 0 ? '' : raw.slice(end + 4) }
}

function decodeBody(headers: ReadonlyMap<string, string>, body: string): string {
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase()
  const clean = body.replace(/\r\n$/, '')
  if (encoding === 'base64') return Buffer.from(clean, 'base64').toString('utf8')
  if (encoding === 'quoted-printable') return fromQuoted(clean.replaceAll('=\r\n', '')).replaceAll('\r\n', '\n')
  return clean.replaceAll('\r\n', '\n')
}

/** RFC 2047: =?UTF-8?Q?Ventilateur_=C3=A0?= ; white space between two encoded words belongs to neither. */
function decodeWords(text: string): string {
  return text
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?utf-8\?([qb])\?([^?]*)\?=/gi, (_all, encoding: string, word: string) =>
      encoding.toLowerCase() === 'b'
        ? Buffer.from(word, 'base64').toString('utf8')
        : fromQuoted(word.replaceAll('_', ' ')),
    )
}

function fromQuoted(text: string): string {
  const bytes = text.replaceAll(/=([0-9A-F]{2})/gi, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
