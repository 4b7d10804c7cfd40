/** Whoever answers what the flags leave open: a person at a terminal, or nobody. */
import type { Secret } from '#domain/secret'
import { BadInput } from '../bad-input.ts'

export type Question = {
  readonly question: string
  /** How a program answers it. */
  readonly flag: string
  /** Taken for an empty answer. */
  readonly preset?: string
}

export type Asker = {
  ask(question: Question): Promise<string>
  /** Not shown while it is typed. Empty: none is given. */
  askSecret(question: Omit<Question, 'preset'>): Promise<Secret | undefined>
  /** `no`: why nobody who is not asked may be taken to agree. */
  confirm(question: Omit<Question, 'preset'> & { readonly no: string }): Promise<boolean>
  say(text: string): void
  /** True where the same may be asked again, because somebody types. */
  readonly isPerson: boolean
}

/** Without a person a question without a preset is a fault that names its flag. */
export function nobody(say: (text: string) => void): Asker {
  return {
    isPerson: false,
    say,
    ask: async ({ flag, preset }) => {
      if (preset === undefined) throw new BadInput([`${flag}: is needed where nobody is asked`])
      return preset
    },
    askSecret: async ({ flag }) => {
      throw new BadInput([`${flag}: is needed where nobody is asked`])
    },
    confirm: async ({ flag, no }) => {
      throw new BadInput([`${no}: ${flag}`])
    },
  }
}

const TRIES_LIMIT = 3

/** A person who mistyped is asked again, a few times; a program is told at once. */
export async function askUntil<T>(
  asker: Asker,
  question: Question,
  { given, parse }: { readonly given: string | undefined; readonly parse: (answer: string) => T | Promise<T> },
): Promise<T> {
  if (given !== undefined) return parse(given)
  for (let tries = 1; ; tries++) {
    const answer = await asker.ask(question)
    try {
      return await parse(answer)
    } catch (error) {
      if (!(error instanceof BadInput) || !asker.isPerson || tries >= TRIES_LIMIT) throw error
      asker.say(`  ${error.message}`)
    }
  }
}
