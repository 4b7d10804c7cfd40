import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { DriverError } from '#domain/driver-error'
import { nothing, parseAnswer } from '#drivers/proxmox/schema'
import { outcomeOf, readLog } from '#drivers/proxmox/task-log'
import { type Bench, bench } from './proxmox-bench.ts'
import { NOT_MET, OUTCOMES, REFUSALS, readerOf, SHORTENED } from './proxmox-recordings.ts'
import { dataOf, type Recorded } from './replay-proxmox.ts'

const HERE = fileURLToPath(new URL('./recordings/proxmox', import.meta.url))
const SCHEMA = process.env.COULISSE_PVE_SCHEMA ?? ''
/** All of them lie beside the project, or beside Proxmox's API schema. */
const ALL = [
  fileURLToPath(new URL('../../shared/recordings/proxmox', import.meta.url)),
  join(dirname(SCHEMA), '../recordings/proxmox'),
].find((folder) => existsSync(folder))
if (ALL === undefined)
  console.log('left out: that every recording is met or listed, for the recordings are not beside the project')

let made: Bench | undefined
afterEach(() => made?.close())

type Named = Recorded & { readonly request?: { readonly method: string; readonly path: string } }

/** Most are pairs of request and answer; what curl printed is several answers in a row; an empty file is none. */
function read(folder: string, file: string): readonly Named[] {
  const text = readFileSync(join(folder, file), 'utf8')
  if (text === '') return []
  if (file.endsWith('.json')) return [JSON.parse(text)]
  return text
    .split('HTTP/1.1 ')
    .slice(1)
    .map((part) => {
      const [, status = '', reason = ''] = /^(\d+) ([^\r\n]*)/.exec(part) ?? []
      return { status: Number(status), reason, body: /^\{.*\}/m.exec(part)?.[0] ?? '' }
    })
}

const nameOf = (file: string) => file.replace(/\.(json|txt)$/, '')
const askedIn = ({ request }: Named) =>
  request === undefined ? '' : `${request.method} ${request.path.replace('/api2/json', '')}`
const answerOf = ({ status, reason, body }: Recorded) =>
  ({ is: 'answer', status, reason, body: typeof body === 'string' ? body : JSON.stringify(body) }) as const

const files = readdirSync(HERE)

test('what was answered is read, with the reader of its path', () => {
  const unread = files.flatMap((file) => {
    return read(HERE, file).flatMap((recorded) => {
      const reader = readerOf(askedIn(recorded))
      if (recorded.status !== 200 || reader === undefined) return []
      const parsed = parseAnswer(answerOf(recorded), reader)
      return parsed.is === 'data' ? [] : [`${file}: ${parsed.text}`]
    })
  })
  expect(unread).toEqual([])
})

test('every refusal is a DriverError that says whether trying again helps, in words', async () => {
  made = await bench(['pve1'], {})
  const { client, replay } = made
  const told: Record<string, unknown> = {}
  const refusals = files.flatMap((file) => read(HERE, file).map((recorded) => [nameOf(file), recorded] as const))
  for (const [name, recorded] of refusals) {
    if (recorded.status === 200) continue
    replay.play({ 'GET /x': recorded, 'PUT /x': recorded })
    const call = { doing: 'try it', path: '/x' }
    const failures = [
      await client.get(nothing, call).catch((error: unknown) => error),
      await client.write('PUT', nothing, call).catch((error: unknown) => error),
    ]
    const [retry, words] = REFUSALS[name] ?? []
    for (const failure of failures) {
      if (!(failure instanceof DriverError) || failure.retry !== retry || words?.test(failure.message) !== true)
        told[name] = failure instanceof DriverError ? `${failure.retry}: ${failure.message}` : failure
    }
  }
  expect(told).toEqual({})
}, 20_000)

test('a member without quorum still answers, and says so', () => {
  const answers = read(HERE, 'no-quorum.txt').filter(({ status }) => status === 200)
  const [status, guests, ha] = answers.map((answer) => parseAnswer(answerOf(answer), z.array(z.looseObject({}))))
  expect(status).toMatchObject({ is: 'data', data: expect.arrayContaining([expect.objectContaining({ quorate: 0 })]) })
  expect(guests).toMatchObject({ is: 'data' })
  expect(JSON.stringify(ha)).toContain('old timestamp - dead?')
})

test('tasks ended as their status and log tell', () => {
  const outcomes = Object.keys(OUTCOMES).map((name) => {
    const [status, log] =
      name === 'migrate-task-ok'
        ? ['migrate-task-status-ok', 'migrate-task-log-ok']
        : [`task-status-${name}`, `task-log-${name}`]
    const lines = dataOf<{ t?: string }[]>(log).map(({ t }) => t ?? '')
    const { exitstatus } = dataOf<{ exitstatus?: string }>(status)
    return [name, outcomeOf(exitstatus ?? '', readLog(lines))]
  })
  expect(Object.fromEntries(outcomes)).toEqual(OUTCOMES)
})

test.runIf(ALL !== undefined)(
  'every recording is met, or stands in the list of those that cannot be, with the reason',
  () => {
    const all = ALL === undefined ? [] : readdirSync(ALL)
    const lost = all.flatMap((file) => {
      const name = nameOf(file)
      const [recorded] = read(ALL ?? '', file)
      const isMet = recorded !== undefined && (recorded.status !== 200 || readerOf(askedIn(recorded)) !== undefined)
      if (isMet && name in NOT_MET) return [`${name} is met: it does not belong in the list`]
      if (!isMet) return name in NOT_MET ? [] : [`${name}: ${recorded === undefined ? 'empty' : askedIn(recorded)}`]
      if (recorded.status !== 200 && REFUSALS[name] === undefined) return [`${name} is a refusal without words`]
      if (!existsSync(join(HERE, file))) return [`${name} is met, and is no case here`]
      if (SHORTENED.has(name)) return []
      return readFileSync(join(HERE, file), 'utf8') === readFileSync(join(ALL ?? '', file), 'utf8')
        ? []
        : [`${name} was changed`]
    })
    expect(lost).toEqual([])
    const gone = Object.keys(NOT_MET).filter((name) => !all.map(nameOf).includes(name))
    expect(gone).toEqual([])
  },
)
