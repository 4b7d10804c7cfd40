/** What a person typed or a file held, and what is wrong with it: every fault, one line each. Ends a command with exit 2. */
export class BadInput extends Error {
  override readonly name = 'BadInput'
  readonly faults: readonly string[]

  /** @param faults one line each, with the path where there is one: "cluster.json: nodes[2].name: is missing" */
  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}
