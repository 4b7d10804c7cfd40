/** A secret that prints as *** wherever it ends up: logs, errors, JSON, string templates. */

const MASK = '***'

export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The only way to the text: for the line that hands it to the outside, and nowhere else. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  /** Node's inspect (console.log, test failures) asks for this symbol; named by its registry key, as domain knows no node: imports. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return MASK
  }
}
