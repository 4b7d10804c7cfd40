/** The same story as a mail: the plain words, what was at stake, and how we know. The annex stays on the page. */
import type { Document } from '#domain/document'
import type { CustomerStory } from './decide.ts'
import { toHtml } from './document/to-html.ts'
import { toText } from './document/to-text.ts'
import { reportOf } from './report.ts'
import type { TellOptions } from './tell-options.ts'

/** In the customer's language, as text and as HTML of the same words. The subject is one line, whatever names hold. */
export function customerMail(
  story: CustomerStory,
  options: TellOptions,
): { readonly subject: string; readonly text: string; readonly html: string } {
  const whole = reportOf(story, options)
  const letter = { ...whole, sections: whole.sections.filter(({ id }) => id !== 'annex') }
  return { subject: subjectOf(letter), text: toText(letter), html: toHtml(letter) }
}

const subjectOf = ({ simulated, title }: Document) =>
  `${simulated === undefined ? '' : `[${simulated.label}] `}${title}`.replace(/\s+/g, ' ').trim()
