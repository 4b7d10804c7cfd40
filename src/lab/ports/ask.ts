/** Every port call goes through here: the faults of the way between strike, refusals become DriverErrors. */
import { DriverError, type Retry } from '#domain/driver-error'
import type { LabWorld } from '#lab/world/lab-world'
import { consultApi } from '#lab/world/queries'
import type { ApiName } from '#lab/world/state'
import type { Answer } from '#lab/world/surface'

export type Call = {
  readonly api: ApiName
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** As on the wire: '/nodes/pve3/qemu/101/migrate'. */
  readonly path: string
  /** In the words of the person who reads it at 3 a.m. */
  readonly doing: string
}

/** A Proxmox proxy gives up after about 30 s. */
const PROXY_LIMIT_MS = 30_000

/** Ceph's own word for a bucket that is not there. */
const EINVAL = 22

/** A mail server's word that this address does not exist. */
const NO_SUCH_USER = 550

const FOR_GOOD = [400, 401, 403, 501, EINVAL, NO_SUCH_USER]
/** What Proxmox says with its 500 and says again when it is asked again. */
const LASTING = /does not exist|no such|without --online|hostname lookup|not currently implemented/i

/** As the real drivers judge it: an answer that was lost, and a 500 that says nothing lasting, may be asked for again. */
const retryOf = (status: number, text: string): Retry =>
  FOR_GOOD.includes(status) || (status === 500 && LASTING.test(text)) ? 'never' : 'later'

const failed = (call: Call, retry: Retry, text: string) => new DriverError(call.api, call.doing, { retry, text })

/** Throws for what went wrong; else the value of the effect. The effect happens although its answer is lost. */
export function ask<T>(lab: LabWorld, call: Call, effect: () => Answer<T>): T {
  const verdict = consultApi(lab.state, call)
  if (verdict.is === 'error')
    throw failed(call, retryOf(verdict.status, verdict.text), `${verdict.status} ${verdict.text}`)
  const answer = effect()
  if (verdict.is === 'answer-lost') throw failed(call, 'later', 'the answer was lost')
  if (verdict.delayMs > PROXY_LIMIT_MS) throw failed(call, 'later', '596 Connection timed out')
  if (answer.is === 'refused')
    throw failed(call, retryOf(answer.status, answer.text), `${answer.status} ${answer.text}`)
  return answer.value
}

export const look = <T>(lab: LabWorld, call: Omit<Call, 'method'>, read: () => T): T =>
  ask(lab, { ...call, method: 'GET' }, () => ({ is: 'done', value: read() }))
