/** A gate on the loopback between one process and what it talks to: open, cut, or silent as a network that swallows everything. */
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'

export type Way = 'open' | 'cut' | 'silent'

/** A TLS goodbye or a keepalive is shorter than any request. */
const REQUEST_BYTES = 64

export class TcpGate {
  readonly port: number
  /** Pieces of at least REQUEST_BYTES that were sent towards the other side. */
  requestCount = 0
  #way: Way = 'open'
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
  }

  /** Listens on a free port of 127.0.0.1. */
  static async open(target: NetConnectOpts): Promise<TcpGate> {
    const server = createServer({ allowHalfOpen: false })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    const gate = new TcpGate(server)
    server.on('connection', (socket) => gate.#take(socket, target))
    return gate
  }

  /** cut: every connection is reset, none is taken. silent: they stand, and nothing comes through either way. */
  turn(way: Way): void {
    this.#way = way
    for (const socket of this.#sockets) {
      if (way === 'cut') reset(socket)
      else if (way === 'silent') socket.pause()
      else socket.resume()
    }
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #take(near: Socket, target: NetConnectOpts): void {
    if (this.#way === 'cut') {
      reset(near)
      return
    }
    const far = connect(target)
    this.#join(near, far, (bytes) => {
      if (bytes >= REQUEST_BYTES) this.requestCount++
    })
    this.#join(far, near, () => {})
    if (this.#way === 'silent') for (const socket of [near, far]) socket.pause()
  }

  /** By hand and not by pipe, which would resume what was paused. */
  #join(from: Socket, to: Socket, count: (bytes: number) => void): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (piece: Buffer) => {
      count(piece.length)
      to.write(piece)
    })
    from.on('end', () => to.end())
    // What breaks on one side breaks on the other.
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}

/** A unix socket has no reset. */
function reset(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
