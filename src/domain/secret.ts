/** A secret that prints as "***" wherever it is printed by mistake: logs, JSON, errors, template strings. */

const values = new WeakMap<Secret, string>()

export class Secret {
  constructor(value: string) {
    values.set(this, value)
  }

  /** The only way to the value: call it where the secret is sent, never earlier. */
  reveal(): string {
    return values.get(this) ?? ''
  }

  toString(): string {
    return '***'
  }

  toJSON(): string {
    return '***'
  }

  /** What Node's util.inspect and console.log ask; a plain symbol elsewhere. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***'
  }
}

export const secret = (value: string) => new Secret(value)
