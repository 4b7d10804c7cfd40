/** Bodies that browsers send: forms, with pictures or without. Node's own FormData reads both. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ProblemError } from './problem.ts'

export function addFormParsers(server: FastifyInstance): void {
  const read = async ({ headers }: FastifyRequest, body: Buffer) => formOf(headers['content-type'], body)
  for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data']) {
    server.addContentTypeParser<Buffer>(type, { parseAs: 'buffer' }, read)
  }
}

async function formOf(type: string | undefined, body: Buffer): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(body), { headers: { 'content-type': type ?? '' } }).formData()
  } catch {
    throw new ProblemError({ status: 400, title: 'the form did not arrive whole: send it again' })
  }
}

export const isForm = (body: unknown): body is FormData => body instanceof FormData

/** A field that is not there is an empty one. */
export function textIn(form: FormData, name: string): string {
  const value = form.get(name)
  return typeof value === 'string' ? value : ''
}

export const textsIn = (form: FormData, name: string): readonly string[] =>
  form.getAll(name).filter((value) => typeof value === 'string')

/** Browsers send one empty file where none was chosen. */
export const filesIn = (form: FormData, name: string): readonly File[] =>
  form.getAll(name).filter((value): value is File => typeof value !== 'string' && value.size > 0)
