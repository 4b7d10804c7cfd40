/**
 * Answers of Prometheus' HTTP API, read. Pure. https://prometheus.io/docs/prometheus/latest/querying/api; recorded:
 * contracts/recordings/prometheus.
 */
import { z } from 'zod'
import type { Retry } from '#domain/driver-error'
import type { Labels } from './placing.ts'

export type Sample = { readonly atMs: number; readonly value: number }
export type Series = { readonly labels: Labels; readonly samples: readonly Sample[] }

export type Answer<T> =
  /** `warnings`: the answer is partial; what is not in it is unmeasured. */
  | { readonly is: 'data'; readonly data: T; readonly warnings: readonly string[] }
  | { readonly is: 'refused'; readonly retry: Retry; readonly text: string }

const sample = z.tuple([z.number(), z.string()])
const labels = z.record(z.string(), z.string())
/** Native histograms come as `histograms` beside no `values`: they are no readings of ours. */
const matrix = z.object({
  resultType: z.literal('matrix'),
  result: z.array(z.object({ metric: labels, values: z.array(sample).default([]) })),
})
const scalar = z.object({ resultType: z.literal('scalar'), result: sample })
const build = z.object({ version: z.string() })

const envelope = z.object({
  status: z.enum(['success', 'error']),
  data: z.unknown().optional(),
  errorType: z.string().optional(),
  error: z.string().optional(),
  warnings: z.array(z.string()).nullish(),
})

export const readMatrix = (status: number, json: unknown): Answer<readonly Series[]> =>
  read(status, json, matrix, ({ result }) =>
    result.map(({ metric, values }) => ({
      labels: metric,
      samples: values.map(readSample).sort((a, b) => a.atMs - b.atMs),
    })),
  )

export const readScalar = (status: number, json: unknown): Answer<Sample> =>
  read(status, json, scalar, ({ result }) => readSample(result))

export const readVersion = (status: number, json: unknown): Answer<string> =>
  read(status, json, build, ({ version }) => version)

const readSample = ([atS, text]: readonly [number, string]): Sample => ({
  atMs: Math.round(atS * 1000),
  value: numberIn(text),
})

/** Go's words for numbers; whatever else stands there is no number. */
function numberIn(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  return text.trim() === '' ? Number.NaN : Number(text)
}

function read<In, Out>(status: number, json: unknown, schema: z.ZodType<In>, then: (data: In) => Out): Answer<Out> {
  const outer = envelope.safeParse(json)
  if (!outer.success) {
    const retry = status >= 500 || status === 429 ? 'later' : 'never'
    return { is: 'refused', retry, text: `${status}: this is not Prometheus’ API` }
  }
  const { status: word, data, errorType, error, warnings } = outer.data
  // A proxy may say 200 to an error; the word inside counts.
  if (word === 'error' || status >= 300) {
    return { is: 'refused', retry: retryOf(status, errorType), text: `${status} ${errorType ?? ''}: ${error ?? ''}` }
  }
  const inner = schema.safeParse(data)
  if (!inner.success) return { is: 'refused', retry: 'never', text: 'the answer has a form that we do not know' }
  return { is: 'data', data: then(inner.data), warnings: warnings ?? [] }
}

/** Too many samples (422) stay too many; a query that was cut short (503) may pass when the server is less busy. */
function retryOf(status: number, errorType: string | undefined): Retry {
  if (errorType === 'timeout' || errorType === 'canceled' || errorType === 'unavailable') return 'later'
  if (errorType === 'bad_data' || errorType === 'execution') return 'never'
  return status >= 500 || status === 429 ? 'later' : 'never'
}
