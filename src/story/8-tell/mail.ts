/** The same story as a mail: the plain words, and how we know. */
import type { CustomerStory } from './decide.ts'
import { formatsFor } from './formats.ts'
import { wordsFor } from './languages.ts'
import { titleOf } from './page.ts'
import { stakeOf, summaryOf } from './summary.ts'
import type { TellOptions } from './tell-options.ts'

/** Plain text in the customer's language. The subject is one line, whatever names hold. */
export function customerMail(story: CustomerStory, options: TellOptions): { subject: string; text: string } {
  const { label } = wordsFor(story.customer.language)
  const formats = formatsFor(story.customer.language)
  const { entryCount, lastHash } = story.evidence
  const subject = `${options.simulated ? `[${label.simulated}] ` : ''}${titleOf(story)}`
  const paragraphs = [
    ...(options.simulated ? [label.simulatedLong] : []),
    ...summaryOf(story),
    `${label.stake}${label.colon}${stakeOf(story)}`,
    `${label.evidence}${label.colon}${label.evidenceText({ entries: formats.number(entryCount), maintenance: story.maintenance })} ${lastHash}`,
    label.utc,
    options.hoster,
  ]
  return { subject: subject.replace(/\s+/g, ' ').trim(), text: `${paragraphs.join('\n\n')}\n` }
}
