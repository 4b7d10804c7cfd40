/** The entry points' clocks beside ours, by the Date of their answers: tasks are found by their times, so a wrong clock hides them. */
import type { Clock } from '#ports/clock'
import { clockDifferenceMs } from './clock-difference.ts'
import type { EntryPoint, Transport, WireAnswer } from './transport.ts'

/** A clock drifts slowly; one answer of so many is looked at, the first among them. */
const ANSWERS_A_LOOK = 20
/** Twice what the search for a task after a lost answer allows for. */
const DIFFERENCE_LIMIT_MS = 60_000

export type ClockWatch = {
  /** The same transport, whose answers are looked at. */
  watched(entry: EntryPoint): Transport
  /** One line an entry point whose clock is wrong, or ours is. */
  faults(): readonly string[]
}

/** Of Proxmox's own answers: a login page on the way, or a balancer, has another clock. */
function dateIn(answer: WireAnswer): number {
  const isProxmox = answer.is === 'answer' && answer.status === 200 && /^\{.*\}\s*$/s.test(answer.body)
  return isProxmox ? Date.parse(answer.date ?? '') : Number.NaN
}

export function clockWatch(clock: Clock, transport: (entry: EntryPoint) => Transport): ClockWatch {
  const differences = new Map<string, number>()

  async function send(entry: EntryPoint, way: Transport, request: Parameters<Transport['send']>[0]) {
    const askedAtMs = await clock.nowMs()
    const answer = await way.send(request)
    const nodeMs = dateIn(answer)
    if (!Number.isNaN(nodeMs)) {
      const told = { nodeMs, askedAtMs, answeredAtMs: await clock.nowMs() }
      differences.set(entry.node ?? entry.url, clockDifferenceMs(told))
    }
    return answer
  }

  return {
    watched(entry) {
      const way = transport(entry)
      let answers = 0
      return {
        send: (request) => (answers++ % ANSWERS_A_LOOK === 0 ? send(entry, way, request) : way.send(request)),
        close: () => way.close(),
      }
    },
    faults: () =>
      [...differences]
        .filter(([, differenceMs]) => Math.abs(differenceMs) > DIFFERENCE_LIMIT_MS)
        .map(([name, differenceMs]) => {
          const by = `${Math.round(Math.abs(differenceMs) / 1000)} s ${differenceMs > 0 ? 'ahead of' : 'behind'} ours`
          return `the clock of ${name} is ${by}: tasks there cannot be found by their times`
        }),
  }
}
