/**
 * The records of a saga that is taken up, read at once. DBOS asks for each by two queries of its own: a long maintenance has thousands,
 * and its takeover would take as long as they do.
 */

/** A row of dbos.operation_outputs, as DBOS's own look at it answers. */
export type ReplayRecord = {
  readonly output: string | null
  readonly error: string | null
  readonly childWorkflowID: string | null
  readonly functionName: string
  readonly serialization: string | null
}

type Look = (workflowId: string, functionId: number) => Promise<unknown>

export class Replays {
  readonly #bySaga = new Map<string, Map<number, ReplayRecord>>()

  /** Records never change once they are written, but for failed ones, which are left to DBOS. */
  fill(id: string, records: readonly (ReplayRecord & { readonly functionId: number })[]): void {
    const good = records.filter(({ error }) => error === null)
    if (good.length > 0) this.#bySaga.set(id, new Map(good.map((record) => [record.functionId, record])))
  }

  forget(id: string): void {
    this.#bySaga.delete(id)
  }

  /** Each is handed out once; whatever is not there is asked of DBOS. */
  over(look: Look): Look {
    return async (id, functionId) => {
      const records = this.#bySaga.get(id)
      const found = records?.get(functionId)
      if (found === undefined) return look(id, functionId)
      records?.delete(functionId)
      return found
    }
  }
}
