/** Detects over a recorded trace: files in, findings out. */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { type FleetPart, newDetector, observeSignals } from '#detect/decide'
import type { Noticed } from '#detect/state'
import type { Finding } from '#domain/finding'
import { readTrace } from '#drivers/trace/trace-file'
import { BadInput } from './bad-input.ts'

const Kind = z.enum(['fan', 'psu', 'temperature', 'memory', 'disk', 'link', 'other'])
const Part = z.object({ part: z.string().min(1), kind: Kind.catch('other'), model: z.string().optional() })

/** Parts by name, or only how many fans there are; what else a fleet file tells is not read here. */
const FleetNode = z.object({
  name: z.string().min(1),
  parts: z.array(Part).default([]),
  fans: z.union([z.number().int().nonnegative().max(64), z.array(z.string())]).optional(),
})
const Fleet = z.object({ nodes: z.array(FleetNode) })

async function readFleet(path: string): Promise<readonly FleetPart[]> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new BadInput([`${path}: $: ${cause instanceof Error ? cause.message : 'unreadable'}`])
  }
  const parsed = Fleet.safeParse(json)
  if (!parsed.success) {
    throw new BadInput(parsed.error.issues.map((issue) => `${path}: $.${issue.path.join('.')}: ${issue.message}`))
  }
  return parsed.data.nodes.flatMap(partsOf)
}

function partsOf({ name, parts, fans = [] }: z.infer<typeof FleetNode>): FleetPart[] {
  const names = typeof fans === 'number' ? Array.from({ length: fans }, (_, index) => `FAN${index + 1}`) : fans
  return [
    ...names.map((part) => ({ node: name, part, kind: 'fan' as const })),
    ...parts.map(({ part, kind, model }) => ({ node: name, part, kind, ...(model !== undefined && { model }) })),
  ]
}

export type TraceSummary = {
  readonly signalCount: number
  readonly badLineCount: number
  readonly firstBad?: { readonly line: number; readonly why: string }
  /** What was taken with care or not at all, each kind said once. */
  readonly noticed: Noticed
}

/**
 * Gives each finding as soon as it stands. After the last line time passes just long enough that a dropout at the very end is
 * counted, and a stop without an end is one.
 */
export async function detectOverTrace(
  files: { readonly trace: string; readonly fleet?: string },
  onFinding: (finding: Finding) => void,
): Promise<TraceSummary> {
  let state = newDetector({}, files.fleet === undefined ? [] : await readFleet(files.fleet))
  let signalCount = 0
  let badLineCount = 0
  let firstBad: TraceSummary['firstBad']
  let lastMs = 0
  const observe = (signals: Parameters<typeof observeSignals>[1], nowMs: number) => {
    const observed = observeSignals(state, signals, nowMs)
    state = observed.state
    for (const finding of observed.findings) onFinding(finding)
  }
  for await (const { signals, bad } of readTrace(files.trace)) {
    signalCount += signals.length
    badLineCount += bad.length
    firstBad ??= bad[0]
    for (const { receivedAtMs } of signals) lastMs = Math.max(lastMs, receivedAtMs)
    observe(signals, lastMs)
  }
  if (signalCount === 0 && firstBad) throw new BadInput([`${files.trace}: line ${firstBad.line}: ${firstBad.why}`])
  const { settleMs, lastingMs, logLagMs } = state.settings
  observe([], lastMs + Math.max(settleMs, lastingMs + logLagMs) + 2)
  return { signalCount, badLineCount, ...(firstBad && { firstBad }), noticed: state.noticed }
}

/** The finding as files hold it (contracts, Trace): times as text. */
export function findingLine(finding: Finding): string {
  const { atMs, ...rest } = finding
  return JSON.stringify({ at: new Date(atMs).toISOString(), ...rest })
}
