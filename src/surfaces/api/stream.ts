/** A maintenance's journal as server-sent events: what was missed first (Last-Event-ID), then what comes. */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { ControlPlane } from '#app/control-plane'
import type { JournalRow } from '#domain/event'
import { renderEvent } from '#domain/render'
import { headOf } from './act.ts'
import { afterSeqOf, idOf } from './input.ts'

/** Proxies close what is silent for a minute. */
const HEARTBEAT_MS = 15_000
/** A reader slower than this is let go; it comes back with Last-Event-ID. */
const BUFFER_LIMIT_BYTES = 1024 * 1024

const messageOf = (row: JournalRow) =>
  `id: ${row.seq}\nevent: row\ndata: ${JSON.stringify({ row, text: renderEvent(row.event) })}\n\n`

export function addStreamRoute(server: FastifyInstance, controlPlane: ControlPlane): void {
  const open = new Set<ServerResponse>()
  server.addHook('preClose', async () => {
    for (const response of open) response.end()
  })

  server.get('/api/maintenances/:id/events', async (request, reply) => {
    const { id } = await headOf(controlPlane, idOf(request.params))
    const lastSeen = request.headers['last-event-id'] ?? (request.query as { after?: string }).after
    const after = afterSeqOf(lastSeen)
    reply.hijack()
    const response = reply.raw
    open.add(response)
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    // A first byte at once: some clients report "open" only then.
    response.write(': journal\n\n')
    const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS)
    const stop = await follow(controlPlane, { id, after }, response)
    response.once('close', () => {
      clearInterval(heartbeat)
      stop()
      open.delete(response)
    })
    if (response.destroyed) response.emit('close')
  })
}

/** Subscribes before it reads, so that nothing falls between; rows seen twice are told once. */
async function follow(
  controlPlane: ControlPlane,
  { id, after }: { readonly id: JournalRow['maintenance']; readonly after: number },
  response: ServerResponse,
): Promise<() => void> {
  let lastSeq = after
  let backlog: JournalRow[] | undefined = []
  const tell = (row: JournalRow) => {
    if (row.seq <= lastSeq || response.writableEnded) return
    lastSeq = row.seq
    response.write(messageOf(row))
    if (response.writableLength > BUFFER_LIMIT_BYTES) response.destroy()
  }
  const stop = controlPlane.subscribe((row) => {
    if (row.maintenance !== id) return
    if (backlog === undefined) tell(row)
    else backlog.push(row)
  })
  try {
    for (const row of await controlPlane.journal(id, after)) tell(row)
    for (const row of backlog) tell(row)
    backlog = undefined
    return stop
  } catch (error) {
    stop()
    response.end()
    throw error
  }
}
