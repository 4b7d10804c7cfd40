import { afterEach, expect, test } from 'vitest'
import { MOMENTS, NIGHT, NightControlPlane, type NightMoment, nightAnswer } from '../sample-night.ts'
import { buildServer } from './server.ts'

const servers: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

function at(moment: NightMoment) {
  const controlPlane = new NightControlPlane(moment)
  let keys = 0
  const server = buildServer(controlPlane, { publicHosts: ['coulisse.example'], freshKey: () => `fresh-${++keys}` })
  servers.push(server)
  return { controlPlane, server }
}

const api = `/api/maintenances/${NIGHT}`
const orderPage = `/maintenances/${NIGHT}/work-orders/wo-1`
const formOf = (fields: Record<string, string>) => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  payload: new URLSearchParams(fields).toString(),
})

test('tells the view, what people may do, and who waits for what', async () => {
  const { server } = at('at a gate')
  const body = (await server.inject(api)).json()
  expect(body).toMatchObject({
    simulated: true,
    status: { word: 'waits at a gate' },
    allowed: { pause: { is: 'yes' }, resume: { is: 'no', reason: 'it is not paused' }, lift: { is: 'yes' } },
  })
  expect(body.waiting.map(({ at }: { at: string }) => at)).toEqual(['gate', 'gate'])
})

test('a control message under the same key counts once, whoever asks twice', async () => {
  const { server, controlPlane } = at('draining')
  const headers = { 'idempotency-key': 'k1' }
  const send = () =>
    server.inject({ method: 'POST', url: `${api}/control`, headers, payload: { kind: 'pause', by: 'eva' } })
  expect([(await send()).statusCode, (await send()).statusCode]).toEqual([202, 202])
  expect(controlPlane.sent).toHaveLength(1)
})

test('what is not allowed now is refused with its reason, and nothing is sent', async () => {
  const { server, controlPlane } = at('draining')
  const answer = await server.inject({ method: 'POST', url: `${api}/control`, payload: { kind: 'resume', by: 'eva' } })
  expect(answer.statusCode).toBe(409)
  expect(answer.headers['content-type']).toContain('application/problem+json')
  expect(answer.json()).toMatchObject({ title: 'not now', detail: 'it is not paused' })
  expect(controlPlane.sent).toEqual([])
})

test('bad input names every fault with its path', async () => {
  const { server } = at('draining')
  const payload = { kind: 'abort', by: '', reason: ' ', extra: 1 }
  const answer = await server.inject({ method: 'POST', url: `${api}/control`, payload })
  expect(answer.statusCode).toBe(422)
  expect(answer.json().faults.map(({ path }: { path: string }) => path)).toEqual(['by', 'reason', '(all of it)'])
})

test('a plan is approved by its name: one that was replaced meanwhile is not', async () => {
  const { server, controlPlane } = at('before approval')
  const payload = { kind: 'approve', by: 'eva', plan: 'plan-0' }
  const answer = await server.inject({ method: 'POST', url: `${api}/control`, payload })
  expect(answer.statusCode).toBe(409)
  expect(answer.json().detail).toContain('plan-1')
  expect(controlPlane.sent).toEqual([])
})

test('an unknown maintenance is a 404 for programs and a page for people', async () => {
  const { server } = at('draining')
  expect((await server.inject('/api/maintenances/nope')).json()).toMatchObject({ status: 404 })
  const page = await server.inject('/maintenances/nope')
  expect([page.statusCode, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8'])
})

test('the journal goes on after a number', async () => {
  const { server } = at('draining')
  const { rows } = (await server.inject(`${api}/journal?after=3`)).json()
  expect(rows[0].seq).toBe(4)
  expect((await server.inject(`${api}/journal?after=-1`)).statusCode).toBe(422)
})

test('the stream tells what was missed after Last-Event-ID, then what comes', async () => {
  const { server, controlPlane } = at('draining')
  const total = MOMENTS.draining.length
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const abort = new AbortController()
  const headers = { 'last-event-id': String(total - 1) }
  const answer = await fetch(`${url}${api}/events`, { headers, signal: abort.signal })
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (part: string) => {
    while (!text.includes(part)) text += (await reader?.read())?.value ?? ''
  }
  await until(`id: ${total}\n`)
  controlPlane.append({ kind: 'said', text: 'something new' })
  await until('something new')
  expect([...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))).toEqual([total, total + 1])
  abort.abort()
})

test('another site can neither reach nor act through the operator’s browser', async () => {
  const { server, controlPlane } = at('draining')
  const rebound = await server.inject({ url: '/', headers: { host: 'evil.example:80' } })
  expect(rebound.statusCode).toBe(421)
  expect((await server.inject({ url: '/', headers: { host: 'coulisse.example' } })).statusCode).toBe(200)
  const headers = { origin: 'https://evil.example', 'content-type': 'application/json' }
  const payload = { kind: 'pause', by: 'eva' }
  const forged = await server.inject({ method: 'POST', url: `${api}/control`, headers, payload })
  expect([forged.statusCode, controlPlane.sent.length]).toEqual([403, 0])
})

test('a form that is refused comes back as it was typed', async () => {
  const { server } = at('at a gate')
  const url = `/maintenances/${NIGHT}/act/abort`
  const page = await server.inject({ method: 'POST', url, ...formOf({ by: 'eva', reason: '', key: 'k' }) })
  expect(page.statusCode).toBe(422)
  expect(page.body).toContain('a reason is needed')
  expect(page.body).toContain('value="eva"')
})

test('the technician’s answer may be sent twice and counts once', async () => {
  const { server, controlPlane } = at('in repair')
  const form = formOf({
    key: 'k1',
    by: 'Tom',
    serial: 'CZ3-0417',
    outcome: 'repaired',
    found: 'dust',
    did: 'Cleaned the fans',
  })
  const send = () => server.inject({ method: 'POST', url: orderPage, ...form })
  expect([(await send()).statusCode, (await send()).statusCode]).toEqual([303, 303])
  expect(controlPlane.sent).toMatchObject([{ message: { by: 'Tom', outcome: 'repaired', did: ['Cleaned the fans'] } }])
})

test('pictures come with the answer, and only pictures', async () => {
  const { server, controlPlane } = at('in repair')
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const form = new FormData()
  for (const [name, value] of Object.entries({ key: 'k', by: 'Tom', serial: 'CZ3-0417', outcome: 'repaired' })) {
    form.set(name, value)
  }
  form.set('photos', new File(['<script>'], 'x.html', { type: 'text/html' }))
  expect((await fetch(`${url}${orderPage}`, { method: 'POST', body: form })).status).toBe(422)
  form.set('photos', new File(['jpeg'], 'bus.jpg', { type: 'image/jpeg' }))
  const sent = await fetch(`${url}${orderPage}`, { method: 'POST', body: form, redirect: 'manual' })
  expect(sent.status).toBe(303)
  expect(controlPlane.photos).toEqual(['bus.jpg'])
  expect(controlPlane.sent).toMatchObject([{ message: { photos: ['bus.jpg'] } }])
})

test('the wrong serial is said before anything is pulled', async () => {
  const { server } = at('in repair')
  const wrong = (await server.inject(`${orderPage}?serial=CZ3-9999`)).body
  expect(wrong).toContain('WRONG NODE')
  // Nobody who stands before another node reads that some node is safe.
  expect(wrong).not.toContain('<iframe')
  const right = (await server.inject(`${orderPage}?serial=cz3%200417`)).body
  expect(right).toContain('The right node')
  expect((await server.inject(orderPage)).body).not.toContain('CZ3-0417')
})

test('an answered work order refuses another answer', async () => {
  const { server } = at('over')
  const { order: _, ...payload } = { ...nightAnswer, found: 'something else' }
  const answer = await server.inject({ method: 'POST', url: `${api}/work-orders/wo-1/answer`, payload })
  expect(answer.statusCode).toBe(409)
})

test('what came from outside is never markup', async () => {
  const { server, controlPlane } = at('draining')
  controlPlane.append({ kind: 'said', text: '<script>alert(1)</script>' })
  const page = (await server.inject(`/maintenances/${NIGHT}`)).body
  expect(page).not.toContain('<script>alert')
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
})

test('a stuck maintenance is taken over by a person, with his name and his reason', async () => {
  const { server } = at('draining')
  const post = (url: string, payload: object) => server.inject({ method: 'POST', url, payload })
  expect((await post(`${api}/release`, { by: 'eva', reason: 'mended by hand' })).statusCode).toBe(202)
  expect((await post(`${api}/release`, { by: 'eva' })).statusCode).toBe(422)
  const unknown = await post('/api/maintenances/nobody/release', { by: 'eva', reason: 'mended by hand' })
  expect(unknown.statusCode).toBe(404)
})
