/** Documents on paper. */
import type { Document } from '#domain/document'

export type Printer = {
  /** A tagged PDF (PDF/UA-1). Equal document, equal bytes. */
  print(document: Document): Promise<Uint8Array>
}
