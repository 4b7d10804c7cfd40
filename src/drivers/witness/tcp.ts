/** A TCP probe: connected is an answer, refused or silent is none. */
import { Socket } from 'node:net'
import { ANSWER_LIMIT_MS } from '#domain/probing'

type Pending = { readonly socket: Socket; readonly sentAtMs: number }

export class TcpProbes {
  /** In the order in which they were sent. */
  #pending: Pending[] = []

  send({ host, port }: { readonly host: string; readonly port: number }, answered: (atMs: number) => void): void {
    const socket = new Socket()
    socket.once('connect', () => {
      answered(performance.now())
      // Closed by a reset: ports that wait out an orderly end would run short within seconds.
      socket.resetAndDestroy()
    })
    socket.on('error', () => socket.destroy())
    this.#pending.push({ socket, sentAtMs: performance.now() })
    socket.connect({ host, port })
  }

  /** Ends those that can bring no answer any more. */
  sweep(nowMs: number): void {
    const isOver = ({ sentAtMs, socket }: Pending) => socket.destroyed || nowMs - sentAtMs > ANSWER_LIMIT_MS
    for (const one of this.#pending) if (isOver(one)) one.socket.destroy()
    this.#pending = this.#pending.filter(({ socket }) => !socket.destroyed)
  }

  close(): void {
    this.sweep(Number.POSITIVE_INFINITY)
  }
}
