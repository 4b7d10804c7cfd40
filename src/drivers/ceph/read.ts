/** From what `ceph` printed to domain values: a value or a DriverError, never a guess. Pure. */
import { type ZodType, z } from 'zod'
import type { CephObservation, NooutLease } from '#domain/ceph'
import { nodeName } from '#domain/ids'
import type { Ran } from '#drivers/exec/run'
import {
  crushRulesAnswer,
  mgrStatAnswer,
  nodeLsAnswer,
  okToStopAnswer,
  osdDumpAnswer,
  osdTreeAnswer,
  quorumAnswer,
  statusAnswer,
  toObservation,
} from './answers.ts'
import { cephError, lastWords, parseAnswer } from './ceph-cli.ts'

/** One look asks all of these of one process. */
const QUESTIONS = {
  status: 'status',
  osdDump: 'osd dump',
  osdTree: 'osd tree',
  crushRules: 'osd crush rule dump',
  quorum: 'quorum_status',
  mgrStat: 'mgr stat',
  nodeLs: 'node ls',
} as const

export const LOOK: readonly string[] = Object.values(QUESTIONS)

/** @param answers to LOOK, in its order. Throws DriverError where one of them has a form that we do not know. */
export function readLook(answers: readonly string[], observedAtMs: number): CephObservation {
  const read = <T>(question: keyof typeof QUESTIONS, schema: ZodType<T>) =>
    parseAnswer(`read "${QUESTIONS[question]}"`, answers[LOOK.indexOf(QUESTIONS[question])] ?? '', schema)
  return toObservation(
    {
      status: read('status', statusAnswer),
      osdDump: read('osdDump', osdDumpAnswer),
      osdTree: read('osdTree', osdTreeAnswer),
      crushRules: read('crushRules', crushRulesAnswer),
      quorum: read('quorum', quorumAnswer),
      mgrStat: read('mgrStat', mgrStatAnswer),
      nodeLs: read('nodeLs', nodeLsAnswer),
    },
    observedAtMs,
  )
}

/** ok-to-stop's "no". */
const EBUSY = 16

/** Exit 0 and 16 both come with the answer in JSON; 16 may come without. Anything else is an error, and neither yes nor no. */
export function readOkToStop(doing: string, osds: readonly number[], ran: Ran) {
  if (ran.code === EBUSY && ran.stdout.trim() === '') return { ok: false, text: lastWords(ran.stderr) }
  if (ran.code !== 0 && ran.code !== EBUSY) throw cephError(doing, ran)
  const answer = parseAnswer(doing, ran.stdout, okToStopAnswer)
  const asked = osds.every((osd) => answer.osds.includes(osd))
  const ok = ran.code === 0 && answer.ok_to_stop && asked
  const inactive = answer.bad_become_inactive?.length ?? answer.num_not_ok_pgs ?? 0
  if (ok) return { ok, text: `OSDs ${osds.join(', ')} may stop: every PG stays active` }
  return { ok, text: asked ? `${inactive} PGs would become inactive` : 'Ceph answered for other OSDs than we asked' }
}

const leaseAnswer = z.object({
  owner: z.string(),
  host: z.string(),
  reason: z.string(),
  setAtMs: z.number(),
  expiresAtMs: z.number(),
  flagsBefore: z.array(z.string()),
})

export function readLeaseText(doing: string, stdout: string): NooutLease {
  const lease = parseAnswer(doing, stdout, leaseAnswer)
  return { ...lease, host: nodeName(lease.host) }
}
