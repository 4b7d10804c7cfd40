/** The words of a customer's language. */
import type { Language } from './formats.ts'
import type { Words } from './words.ts'
import { ENGLISH } from './words-en.ts'
import { SPANISH } from './words-es.ts'
import { FRENCH } from './words-fr.ts'

export function wordsFor(language: Language): Words {
  switch (language) {
    case 'en':
      return ENGLISH
    case 'fr':
      return FRENCH
    case 'es':
      return SPANISH
  }
}
