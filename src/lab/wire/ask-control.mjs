/**
 * One question to the lab's control server, for the commands that stand in for real ones. Plain JavaScript over a bare socket:
 * a story starts these hundreds of times, and fetch or types to strip would triple the 45 ms of a start.
 */
import { connect } from 'node:net'

const ANSWER_LIMIT_MS = 60_000

/** @returns {Promise<{ code: number, stdout?: string, stderr?: string }>} */
export function askControl(path, body) {
  const control = process.env.COULISSE_LAB_CONTROL
  if (control === undefined) return Promise.resolve(failed('COULISSE_LAB_CONTROL says where the lab is; it is not set'))
  const { hostname, port } = new URL(control)
  const text = JSON.stringify(body)
  const head = [
    `POST ${path} HTTP/1.0`,
    `Host: ${hostname}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(text)}`,
  ]
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(Number(port), hostname)
    socket.setEncoding('utf8').setTimeout(ANSWER_LIMIT_MS, () => socket.destroy(new Error('no answer in time')))
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', (error) => resolve(failed(String(error))))
    socket.on('close', () => resolve(read(answer)))
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`)
  })
}

const failed = (why) => ({ code: 1, stderr: `[errno 110] timed out (error connecting to the lab): ${why}\n` })

function read(answer) {
  const status = /^HTTP\/1\.\d (\d+)/.exec(answer)?.[1]
  if (status !== '200') return failed(status === undefined ? 'no answer' : `status ${status}`)
  try {
    return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))
  } catch {
    return failed('an answer that is no JSON')
  }
}

/** Prints like the real command and ends with its exit code. */
export function print({ code, stdout, stderr }) {
  process.stdout.write(stdout ?? '')
  process.stderr.write(stderr ?? '')
  process.exitCode = code
}
