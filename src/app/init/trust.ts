/** Whose certificate this is: by a fingerprint that was given, by a person's word, or taken as it is because a flag says so. */
import { seenCertificate } from '#drivers/tls/seen-certificate'
import { BadInput } from '../bad-input.ts'
import type { Asker } from './asker.ts'
import type { InitFlags } from './flags.ts'

const LOOK_LIMIT_MS = 10_000

/** Answers the fingerprint to pin. Throws BadInput where nobody trusts it; DriverError where nobody answers. */
export async function trustedFingerprint(
  { what, url, compare }: { readonly what: string; readonly url: string; readonly compare: string },
  flags: Pick<InitFlags, 'fingerprint' | 'trustOnFirstUse'>,
  asker: Asker,
): Promise<string> {
  const seen = await seenCertificate(url, LOOK_LIMIT_MS)
  const { fingerprint256 } = seen
  asker.say(`${what} (${url}) shows the certificate of ${seen.subject}, by ${seen.issuer}, until ${seen.validTo}:`)
  asker.say(`  SHA-256 ${fingerprint256}`)
  if (flags.fingerprint.some((one) => one.toUpperCase() === fingerprint256)) {
    asker.say('  It is one of those that you named')
    return fingerprint256
  }
  if (flags.trustOnFirstUse) {
    asker.say(`  Trusted at first sight, as you said. Compare it later ${compare}`)
    return fingerprint256
  }
  asker.say(`  Compare it ${compare}`)
  const no = `the certificate of ${url} is ${fingerprint256}, and nobody said that it is the right one`
  const isTrusted = await asker.confirm({
    question: 'Is it the same, and is this certificate to be trusted from now on?',
    flag: '--fingerprint SHA256 names it, --trust-on-first-use takes it as it is',
    no,
  })
  if (!isTrusted) throw new BadInput([`${no}: nothing was sent to it`])
  return fingerprint256
}
