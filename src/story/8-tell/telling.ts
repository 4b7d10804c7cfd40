/** A story with the words and formats of the one who reads it. */
import type { CustomerStory } from './decide.ts'
import { type Formats, formatsOf } from './formats.ts'
import { wordsFor } from './languages.ts'
import type { Words } from './words.ts'

export type Telling = { readonly story: CustomerStory; readonly words: Words; readonly formats: Formats }

export const tellingOf = (story: CustomerStory): Telling => ({
  story,
  words: wordsFor(story.customer.language),
  formats: formatsOf(story.customer),
})
