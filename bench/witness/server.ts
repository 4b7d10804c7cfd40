/** Answers TCP and HTTP on one port, cheaply: prints the port. Ends with who started it. */
import { createServer } from 'node:net'
import process from 'node:process'

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {})
  socket.on('data', (data) => {
    // Pipelined requests do not occur here: a chunk is a request.
    if (data.length > 0) socket.write(ANSWER)
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : 0}\n`)
})
setInterval(() => {
  if (process.ppid === 1) process.exit(0)
}, 500)
