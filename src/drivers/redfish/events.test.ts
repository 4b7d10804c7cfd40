import { request } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeName } from '#domain/ids'
import { eventStream } from './event-stream.ts'
import { pushListener } from './push-listener.ts'

test('events are counted however the stream is cut, and comments are none', () => {
  const text = 'id: 1\r\ndata: {"a":1}\r\n\r\n: stream keep-alive\n\ndata: x\ndata: y\n\nevent: z\n\n'
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 8 }), (cuts) => {
      let events = 0
      const feed = eventStream(() => events++)
      const places = [0, ...cuts.toSorted((a, b) => a - b), text.length]
      for (const [index, from] of places.entries()) feed(Buffer.from(text.slice(from, places[index + 1])))
      expect(events).toBe(2)
    }),
  )
})

test('a stream of noise is no crash', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => eventStream(() => undefined)(bytes)))
})

const post = (url: string, body: string, method = 'POST') =>
  new Promise<number>((resolve, reject) => {
    const sent = request(url, { method }, (response) => resolve(response.resume().statusCode ?? 0))
    sent.on('error', reject)
    sent.end(body)
  })

test('only a BMC that gives back its own secret is believed', async () => {
  const heard: string[] = []
  const listener = await pushListener({ host: '127.0.0.1', port: 0 }, (node) => void heard.push(node))
  const [pve1, pve2] = [listener.of(nodeName('pve1')), listener.of(nodeName('pve2'))]
  const event = (Context: unknown) => JSON.stringify({ Context, Events: [{ MessageId: 'x' }] })
  expect(await post(pve1.destination, event(pve1.context))).toBe(204)
  expect(await post(pve1.destination, event(pve2.context))).toBe(403)
  for (const body of ['', '<html>', '{"Context":', 'null', '[]', event(1), event('')]) {
    expect(await post(pve1.destination, body)).toBe(403)
  }
  expect(await post(`${listener.url}/elsewhere`, event(pve1.context))).toBe(404)
  expect(await post(pve1.destination, '', 'GET')).toBe(404)
  expect(await post(`${listener.url}/redfish-events/%E0%A4`, '')).toBe(400)
  expect(await post(pve1.destination, 'x'.repeat(300_000)).catch(() => 413)).toBe(413)
  expect(heard).toEqual(['pve1'])
  await listener.close()
})
