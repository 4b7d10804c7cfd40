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

const isLook = ({ method }: Call) => method === 'GET'

/** Looks and what may be done twice may be repeated; after a POST one looks whether it was done. */
const retryOf = (call: Call, status: number): Retry => {
  if (status === 401 || status === 403 || status === 400 || status === 501 || status === EINVAL) return 'never'
  if (status === NO_SUCH_USER) return 'never'
  if (status === 595 || status === 596 || status === 504) return 'later'
  return call.method === 'POST' ? 'never' : 'later'
}

const failed = (call: Call, retry: Retry, text: string) => new DriverError(call.api, call.doing, { retry, text })

/** Throws for what went wrong; else the value of the effect. The effect happens although its answer is lost. */
export function ask<T>(lab: LabWorld, call: Call, effect: () => Answer<T>): T {
  const verdict = consultApi(lab.state, call)
  if (verdict.is === 'error') throw failed(call, retryOf(call, verdict.status), `${verdict.status} ${verdict.text}`)
  const answer = effect()
  if (verdict.is === 'answer-lost')
    throw failed(call, call.method === 'POST' ? 'never' : 'later', 'the answer was lost')
  if (verdict.delayMs > PROXY_LIMIT_MS) throw failed(call, isLook(call) ? 'later' : 'never', '596 Connection timed out')
  if (answer.is === 'refused') throw failed(call, retryOf(call, answer.status), `${answer.status} ${answer.text}`)
  return answer.value
}

export const look = <T>(lab: LabWorld, call: Omit<Call, 'method'>, read: () => T): T =>
  ask(lab, { ...call, method: 'GET' }, () => ({ is: 'done', value: read() }))
