/** Workers that follow the moves die with their figures: the guests are where they should be, and nobody knows for how long they stood. */
import { expect, test } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { promisesAreQuiet } from '#lab/engine/simulate'
import { labPorts } from '#lab/ports/lab-ports'
import { playCalm } from './night-kit.ts'

test('a move whose task ended without a word is done, and its pause is unmeasured, never 0', async () => {
  const night = await playCalm({
    outside: async (lab) => {
      const { hypervisor } = labPorts(lab)
      const follow: typeof hypervisor.follow = async (handle) => {
        const progress = await hypervisor.follow(handle)
        return progress.is === 'ended' ? { is: 'ended', outcome: 'unknown', text: 'unexpected status' } : progress
      }
      return { ports: { hypervisor: { ...hypervisor, follow } }, quiet: promisesAreQuiet, close: async () => {} }
    },
  })
  const moves = night.rows.flatMap(({ event }) =>
    event.kind === 'did' && event.act.kind === 'migrate' && event.outcome.is !== 'failed' ? [event.outcome] : [],
  )
  expect(moves.length).toBeGreaterThan(0)
  expect(moves.map(({ measured }) => measured)).toEqual(moves.map(() => 'unmeasured'))
  expect(night.ending).toBe('done')
  expect(brokenIn(night)).toEqual([])
})
