/** HTML from values: everything that is put in is escaped, unless it is HTML already. */

export type Html = { readonly html: string }

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Good for XML too. Control characters are not allowed even as entities, so they go. */
export const escapeHtml = (text: string): string =>
  [...text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign)].filter(isAllowed).join('')

function isAllowed(sign: string): boolean {
  const code = sign.codePointAt(0) ?? 0
  if (code === 0x09 || code === 0x0a || code === 0x0d) return true
  // Controls, lone surrogates and the signs that turn the direction of text, with which a name could fake its neighbours.
  return code >= 0x20 && !(code >= 0x7f && code < 0xa0) && !(code >= 0xd800 && code < 0xe000) && !isDirection(code)
}

const isDirection = (code: number) => (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)

type Part = string | number | Html | readonly Html[]

const textOf = (part: Part): string => {
  if (typeof part === 'string') return escapeHtml(part)
  if (typeof part === 'number') return String(part)
  return 'html' in part ? part.html : part.map(({ html }) => html).join('')
}

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: strings.reduce((text, string, index) => text + textOf(parts[index - 1] ?? '') + string) }
}

/** For our own constants only, such as a style sheet. */
export const trusted = (text: string): Html => ({ html: text })

export const NOTHING: Html = { html: '' }
