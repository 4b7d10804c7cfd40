/** A mail server that delivers nothing: it hands every mail to the lab. Speaks as much SMTP (RFC 5321) as a client needs. */
import { createServer, type Server, type Socket } from 'node:net'
import { parseMail } from './mime.ts'

export type SunkMail = {
  /** X-Coulisse-Key where the mail has one, else its Message-ID. */
  readonly key: string
  readonly messageId: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string
}

/** 'drop' takes the mail and hangs up before the answer: the client cannot know. */
export type Verdict = 'taken' | 'drop' | { readonly code: number; readonly text: string }

export type SmtpSink = { readonly port: number; close(): Promise<void> }

const MAIL_LIMIT_CHARACTERS = 5_000_000

export async function startSmtpSink(options: {
  readonly port?: number
  readonly onMail: (mail: SunkMail) => Verdict | Promise<Verdict>
}): Promise<SmtpSink> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // A client that hangs up in the middle of a mail is its own affair.
    socket.on('error', () => undefined)
    converse(socket, options.onMail)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  return { port: portOf(server), close: () => close(server, sockets) }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy()
  return new Promise((resolve) => server.close(() => resolve()))
}

function converse(socket: Socket, onMail: (mail: SunkMail) => Verdict | Promise<Verdict>) {
  let pending = ''
  let recipients: string[] = []
  let data: string[] | undefined
  // One line after the other, also while a mail waits for its verdict.
  let queue = Promise.resolve()
  socket.setEncoding('utf8')
  socket.write('220 lab ESMTP\r\n')
  async function line(text: string) {
    if (data === undefined) {
      const reply = command(text)
      if (reply !== undefined) socket.write(`${reply}\r\n`)
      return
    }
    if (text !== '.') {
      data.push(text.startsWith('.') ? text.slice(1) : text)
      return
    }
    const verdict = await onMail(toSunkMail(data.join('\r\n'), recipients))
    data = undefined
    recipients = []
    if (verdict === 'drop') socket.destroy()
    else socket.write(verdict === 'taken' ? '250 2.0.0 taken\r\n' : `${verdict.code} ${verdict.text}\r\n`)
  }
  function command(text: string): string | undefined {
    const [verb = '', argument = ''] = text.split(/ (.*)/s)
    switch (verb.toUpperCase()) {
      case 'EHLO':
        return '250-lab\r\n250-8BITMIME\r\n250 SMTPUTF8'
      case 'HELO':
      case 'NOOP':
      case 'MAIL':
        return '250 2.0.0 fine'
      case 'RSET':
        recipients = []
        return '250 2.0.0 fine'
      case 'RCPT':
        recipients.push(/<([^>]*)>/.exec(argument)?.[1] ?? argument)
        return '250 2.1.5 fine'
      case 'DATA':
        data = []
        return '354 go on'
      case 'QUIT':
        socket.end('221 2.0.0 bye\r\n')
        return undefined
      default:
        return '502 5.5.1 not known here'
    }
  }
  socket.on('data', (chunk: string) => {
    const lines = `${pending}${chunk}`.split('\r\n')
    pending = lines.pop() ?? ''
    if (pending.length > MAIL_LIMIT_CHARACTERS) socket.destroy()
    for (const text of lines) queue = queue.then(() => line(text)).catch(() => void socket.destroy())
  })
}

function toSunkMail(raw: string, recipients: readonly string[]): SunkMail {
  const { headers, text, html } = parseMail(raw)
  const messageId = headers.get('message-id') ?? ''
  return {
    key: headers.get('x-coulisse-key') ?? messageId,
    messageId,
    to: recipients.join(', '),
    subject: headers.get('subject') ?? '',
    text,
    ...(html === undefined ? {} : { html }),
  }
}
