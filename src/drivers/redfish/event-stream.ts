/** Server-sent events, as far as we heed them: that there was one. Pure but for its own place in the stream. */

const DATA = 'data'
const NEWLINE = 10
const RETURN = 13

/**
 * Feed it chunk by chunk: calls `onEvent` for each event with data, whatever stands in it. Comments keep the line alive and are
 * none. Nothing is gathered, so a line without end costs nothing.
 */
export function eventStream(onEvent: () => void): (chunk: Uint8Array) => void {
  let line = ''
  let lineLength = 0
  let hasData = false
  const endLine = () => {
    if (lineLength === 0) {
      if (hasData) onEvent()
      hasData = false
    } else if (line === DATA) hasData = true
    line = ''
    lineLength = 0
  }
  return (chunk) => {
    for (const byte of chunk) {
      if (byte === NEWLINE) endLine()
      else if (byte !== RETURN) {
        lineLength++
        if (line.length < DATA.length) line += String.fromCharCode(byte)
      }
    }
  }
}
