/** Numbers, times and plurals as a language writes them, times in a zone that is said where they are shown. */
import { type Customer, isTimeZone } from '#domain/customer'

export type Language = Customer['language']

/** 'one' and 'other' are enough for counts of guests in the three languages (Intl's 'many' begins at a million). */
export type Forms = { readonly one: string; readonly other: string }

export type Formats = {
  readonly number: (value: number) => string
  /** A measured pause or gap: "62 ms", "1.2 s". */
  readonly pause: (ms: number) => string
  /** A stretch of time in words of minutes and hours. */
  readonly span: (ms: number) => string
  readonly date: (atMs: number) => string
  readonly month: (atMs: number) => string
  /** A share near 1 with as many digits as tell it from 1: "99.998 %". */
  readonly share: (share: number) => string
  readonly time: (atMs: number) => string
  readonly clock: (atMs: number) => string
  /** Of the database of time zones: "Europe/Madrid". */
  readonly zoneName: string
  /** As people say it at that time: "UTC", "CET", "UTC+2". */
  readonly zone: (atMs: number) => string
  readonly list: (items: readonly string[]) => string
  /** The form for `count`, with '#' replaced by the number. */
  readonly count: (count: number, forms: Forms) => string
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const DAY_UNIT: Record<Language, Forms> = {
  en: { one: '# day', other: '# days' },
  fr: { one: '# jour', other: '# jours' },
  es: { one: '# día', other: '# días' },
}

/** A figure and its unit stay on one line. */
const GLUE = '\u00a0'

const HOUR_AND_MINUTE = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const

const MADE = new Map<string, Formats>()

/** Made once a language and zone: Intl's formatters cost milliseconds each. A zone that nobody knows is UTC, and called so. */
export function formatsFor(language: Language, zone = 'UTC'): Formats {
  const key = `${language} ${zone}`
  const formats = MADE.get(key) ?? makeFormats(language, isTimeZone(zone) ? zone : 'UTC')
  MADE.set(key, formats)
  return formats
}

export const formatsOf = (customer: Pick<Customer, 'language' | 'timeZone'>): Formats =>
  formatsFor(customer.language, customer.timeZone)

function makeFormats(language: Language, timeZone: string): Formats {
  const locale = language === 'en' ? 'en-GB' : language
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, useGrouping: 'min2' })
  const tenths = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
  const rules = new Intl.PluralRules(locale)
  const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone })
  const times = new Intl.DateTimeFormat(locale, { ...HOUR_AND_MINUTE, timeZone })
  const clocks = new Intl.DateTimeFormat(locale, { ...HOUR_AND_MINUTE, second: '2-digit', timeZone })
  const months = new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric', timeZone })
  const zones = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'short' })
  const lists = new Intl.ListFormat(locale, { type: 'conjunction' })
  const count = (value: number, forms: Forms) =>
    (rules.select(value) === 'one' ? forms.one : forms.other).replace('#', whole.format(value))
  const unit = (value: string, name: string) => `${value}${GLUE}${name}`
  return {
    number: (value) => tenths.format(value),
    // One decimal below a second and from there on: a pause of 0.4 ms is not 0.
    pause: (ms) => (ms < SECOND ? unit(tenths.format(atLeastTenth(ms)), 'ms') : unit(tenths.format(ms / SECOND), 's')),
    span: (ms) => {
      if (ms < 2 * MINUTE) return unit(whole.format(ms / SECOND), 's')
      if (ms < 2 * HOUR) return unit(whole.format(ms / MINUTE), 'min')
      if (ms < 3 * DAY) return unit(whole.format(ms / HOUR), 'h')
      return count(Math.round(ms / DAY), DAY_UNIT[language])
    },
    date: (atMs) => dates.format(atMs),
    month: (atMs) => months.format(atMs),
    share: (share) => shareText(share, locale),
    time: (atMs) => times.format(atMs),
    clock: (atMs) => clocks.format(atMs),
    zoneName: timeZone,
    zone: (atMs) => zones.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? timeZone,
    list: (items) => lists.format(items),
    count,
  }
}

/** A measured pause that rounds to nothing was still a pause. */
const atLeastTenth = (ms: number) => (ms > 0 && ms < 0.1 ? 0.1 : ms)

const SHARE_DIGITS_LIMIT = 6

/** Never rounded up to 100 %: nines are what the reader looks for. */
function shareText(share: number, locale: string): string {
  const lostDigits = share >= 1 || share <= 0 ? 0 : Math.ceil(-Math.log10(1 - share)) - 2
  const digits = Math.min(SHARE_DIGITS_LIMIT, Math.max(0, lostDigits) + (share >= 1 ? 0 : 1))
  const step = 10 ** (digits + 2)
  const down = Math.floor(share * step + 1e-9) / step
  return new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: digits }).format(down)
}
