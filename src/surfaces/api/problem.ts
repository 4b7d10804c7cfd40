/** Refusals of the API as problem+json (RFC 9457): a title, and every fault with its path. */
import type { FastifyReply } from 'fastify'
import type { ZodError } from 'zod'

export type Problem = {
  readonly status: number
  readonly title: string
  readonly detail?: string
  readonly faults?: readonly { readonly path: string; readonly text: string }[]
}

/** Thrown by a route, told by the server's error handler. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.title)
    this.problem = problem
  }
}

export const notFound = (what: string) => new ProblemError({ status: 404, title: `there is no ${what}` })
export const notNow = (reason: string) => new ProblemError({ status: 409, title: 'not now', detail: reason })
export const badInput = (error: ZodError) =>
  new ProblemError({
    status: 422,
    title: 'the input does not fit',
    faults: error.issues.map(({ path, message }) => ({ path: path.join('.') || '(all of it)', text: message })),
  })

/** "by: is missing": for people, one line a fault. */
export const faultLines = ({ title, detail, faults }: Problem): readonly string[] =>
  faults?.map(({ path, text }) => `${path}: ${text}`) ?? [detail === undefined ? title : `${title}: ${detail}`]

export const sendProblem = (reply: FastifyReply, problem: Problem) =>
  reply
    .code(problem.status)
    .type('application/problem+json')
    .send({ type: 'about:blank', ...problem })

/** Any error as what the one who asked may know of it. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  const status = (error as { statusCode?: number }).statusCode ?? 500
  const text = error instanceof Error ? error.message : String(error)
  if (status < 500) return { status, title: text }
  process.stderr.write(`api: ${error instanceof Error ? error.stack : text}\n`)
  return { status: 500, title: 'we failed', detail: 'the reason is in the log of the control plane' }
}
