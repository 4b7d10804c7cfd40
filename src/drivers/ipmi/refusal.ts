/** Why no session came about. `ipmitool` prints one line for a dead BMC, a wrong password and a cipher suite that is switched off. Pure. */

export type Refusal =
  | 'no-answer'
  /** This user or this password. */
  | 'credentials'
  /** The user may not sign in with the privilege that was asked for. */
  | 'privilege'
  /** Another cipher suite may open. */
  | 'cipher-suite'
  /** A BMC holds a handful of sessions: some end by themselves in a minute or two. */
  | 'sessions-full'

const NO_SESSION = /Unable to establish (IPMI|LAN) /i

/** What IPMI 2.0 (table 13-15) calls the status codes of a refused session, as `ipmitool -v` words them. */
const REASONS: readonly (readonly [words: RegExp, refusal: Refusal])[] = [
  [/HMAC is invalid|unauthorized name|invalid name length|integrity check value/i, 'credentials'],
  [/unauthorized role|invalid role|insufficient privilege|privilege level/i, 'privilege'],
  [/(authentication|integrity|confidentiality) algorithm|cipher suite|matching .* payload/i, 'cipher-suite'],
  [/insufficient resources/i, 'sessions-full'],
  [
    /Get Channel Authentication Capabilities|Get Auth Capabilities|Timeout in open session|no response from/i,
    'no-answer',
  ],
]

/** No session came about. Which of its reasons it was stands in the words of a run with `-v` alone. */
export const isRefused = (stderr: string): boolean => NO_SESSION.test(stderr)

/** Undefined where the words of `ipmitool -v` name no reason that we know: then the time is what there is to go by. */
export const refusalIn = (stderr: string): Refusal | undefined => REASONS.find(([words]) => words.test(stderr))?.[1]

/** A BMC that answers refuses at once; one that is dead is waited for, packet by packet. */
export const refusalByTime = (tookMs: number, packetWaitMs: number): Refusal =>
  tookMs < packetWaitMs ? 'credentials' : 'no-answer'
