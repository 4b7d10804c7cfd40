import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Secret } from '#domain/secret'
import { postJson } from './webhook.ts'

type Posted = { readonly headers: IncomingHttpHeaders; readonly url: string; readonly body: unknown }

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** Answers with these statuses, one a post, the last for ever; 'silence' never answers. */
async function receiver(...answers: readonly (number | 'silence')[]) {
  const posts: Posted[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    posts.push({ headers: request.headers, url: request.url ?? '', body: JSON.parse(text) })
    const answer = answers[Math.min(posts.length, answers.length) - 1] ?? 204
    if (answer === 'silence') return
    response.writeHead(answer, answer === 302 ? { location: 'http://127.0.0.1:9/' } : {})
    response.end()
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { posts, url: new Secret(`http://127.0.0.1:${port}/hooks/T0P-S3CRET?key=k`) }
}

const quick = { waitMs: 1, deadlineMs: 300 }

test('a receiver that is away for a moment gets it in the end, each try under the same key', async () => {
  const { posts, url } = await receiver(503, 429, 204)
  await postJson({ url, token: new Secret('t0ken'), ...quick }, 'key-1', { shouts: ['é'] })
  expect(posts).toHaveLength(3)
  expect(posts.map(({ headers }) => headers['idempotency-key'])).toEqual(['key-1', 'key-1', 'key-1'])
  expect(posts[2]).toMatchObject({
    url: '/hooks/T0P-S3CRET?key=k',
    body: { shouts: ['é'] },
    headers: { authorization: 'Bearer t0ken' },
  })
})

test('after three tries it is said, and neither address nor token is', async () => {
  const { posts, url } = await receiver(500)
  const error = await postJson({ url, token: new Secret('t0ken'), ...quick }, 'k', {}).catch((one: unknown) => one)
  expect(error).toMatchObject({ name: 'DriverError', retry: 'later' })
  expect(String(error)).not.toMatch(/T0P-S3CRET|t0ken/)
  expect(posts).toHaveLength(3)
})

test('what will not change is not repeated, and a redirection is not followed', async () => {
  for (const status of [401, 404, 302]) {
    const { posts, url } = await receiver(status)
    await expect(postJson({ url, ...quick }, 'k', {})).rejects.toMatchObject({ retry: 'never' })
    expect(posts).toHaveLength(1)
  }
})

test('silence ends at the deadline', async () => {
  const { posts, url } = await receiver('silence')
  await expect(postJson({ url, ...quick }, 'k', {})).rejects.toThrow(/no answer within 300 ms/)
  expect(posts).toHaveLength(3)
})

test('more than a receiver would take is not sent', async () => {
  const { posts, url } = await receiver(204)
  await expect(postJson({ url, ...quick }, 'k', 'x'.repeat(300_000))).rejects.toMatchObject({ retry: 'never' })
  expect(posts).toEqual([])
})
