/** Acting on the world: the journal shows the intent before and the outcome after, and a step that runs twice does it once. */
import type { Act, Outcome } from '#domain/act'
import { DriverError } from '#domain/driver-error'
import type { Json } from '#domain/json'
import { renderIntent } from '#domain/render-act'
import { pass, type Story, StoryStopped } from './story.ts'
import { undoing } from './undoing.ts'

export type Performance = {
  readonly act: Act
  /** Look, act, prove: looks whether it is done already, acts, looks again. Throws DriverError when the world fails. */
  readonly run: (intent: { readonly key: string; readonly intendedAtMs: number }) => Promise<Outcome>
  readonly undo?: () => Promise<void>
}

/** Performs one act. The outside's failure is an outcome ('failed'), after the driver's error was repeated as it says. */
export async function perform(story: Story, { act, run, undo }: Performance): Promise<Outcome> {
  const { journal } = story.ports
  const maintenance = story.input.id
  await registerUndo(story, act, undo)
  try {
    const outcome = await story.saga.step(nameOf(act), async (key) => {
      const { row } = await journal.append({ maintenance, key: `${key}/intends`, event: { kind: 'intends', act } })
      const result = await run({ key, intendedAtMs: row.atMs })
      await journal.append({ maintenance, key: `${key}/did`, event: { kind: 'did', act, outcome: result } })
      return result as unknown as Json
    })
    return outcome as unknown as Outcome
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    const outcome: Outcome = { is: 'failed', text: error.message }
    await story.saga.step(`note failure of ${nameOf(act)}`, async (key) => {
      await journal.append({ maintenance, key, event: { kind: 'did', act, outcome } })
      return null
    })
    return outcome
  }
}

/** Before the act: one whose answer was lost, and after which somebody aborted, is taken back all the same. */
async function registerUndo(story: Story, act: Act, undo: Performance['undo']): Promise<void> {
  if (undo === undefined || story.heard.undoing) return
  await story.saga.step(renderIntent(act), async () => null, { undo: undoing(story, undo) })
}

const INSIST_EVERY_MS = 30_000
const INSIST_TRIES_LIMIT = 40

/** Performs until it is done; people are heard in between. StoryStopped after INSIST_TRIES_LIMIT tries. */
export async function insist(story: Story, { act, run, undo }: Performance): Promise<Outcome> {
  let last = ''
  await registerUndo(story, act, undo)
  for (let tries = 0; tries < INSIST_TRIES_LIMIT; tries++) {
    const outcome = await perform(story, { act, run })
    if (outcome.is !== 'failed') return outcome
    last = outcome.text
    await pass(story, INSIST_EVERY_MS)
  }
  throw new StoryStopped(`${nameOf(act)} failed ${INSIST_TRIES_LIMIT} times, last: ${last}`)
}

function nameOf(act: Act): string {
  if ('guest' in act) return `${act.kind} guest ${act.guest}`
  if ('node' in act) return `${act.kind} ${act.node}`
  return act.kind
}
