/** Reads an answer whole, up to a limit: a server that goes on for ever must not fill our memory. */

/** Asked for again it would be as large again. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge'
}

/** As UTF-8. Throws TooLarge as soon as the limit is passed, while the rest still streams. */
export async function readLimited(body: AsyncIterable<Uint8Array>, limitBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > limitBytes) throw new TooLarge(`the answer is larger than ${limitBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
