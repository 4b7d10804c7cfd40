/** Questions at a terminal, or over a pipe: one line each, secrets not shown. */
import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import { BadInput } from '#app/bad-input'
import type { Asker } from '#app/init/asker'
import { Secret } from '#domain/secret'

type Terminal = { readonly asker: Asker; close(): void }

/** Lines may come faster than questions: they wait their turn. The end of the input is told to whoever asks next. */
export function terminalAsker(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  isTerminal: boolean,
): Terminal {
  let isMuted = false
  const shown = new Writable({
    write: (chunk, _, done) => {
      if (!isMuted) output.write(chunk)
      done()
    },
  })
  // Without a history no secret stays in memory to be fetched back by the arrow keys.
  const lines = createInterface({ input, output: shown, terminal: isTerminal, historySize: 0 })
  const next = lineQueue(lines)
  const say = (text: string) => output.write(`${text}\n`)
  // A pipe's lines are all read before the second question: readline prompts no more then, and need not.
  const prompt = (text: string) => {
    if (!isTerminal) return void output.write(text)
    lines.setPrompt(text)
    lines.prompt()
  }
  const read = async (text: string) => {
    prompt(text)
    const line = await next()
    // What was typed blindly, or never typed at all, leaves no line end behind.
    if (!isTerminal) output.write('\n')
    return line
  }
  return {
    asker: {
      isPerson: true,
      say,
      ask: async ({ question, preset }) => {
        const shownPreset = preset === undefined || preset === '' ? '' : ` [${preset}]`
        for (;;) {
          const answer = (await read(`${question}${shownPreset}: `)).trim()
          if (answer !== '' || preset !== undefined) return answer || (preset ?? '')
        }
      },
      askSecret: async ({ question }) => {
        output.write(`${question}: `)
        isMuted = isTerminal
        if (isTerminal) prompt('')
        try {
          const answer = (await next()).trim()
          return answer === '' ? undefined : new Secret(answer)
        } finally {
          isMuted = false
          output.write('\n')
        }
      },
      confirm: async ({ question }) => /^y(es)?$/i.test((await read(`${question} [y/N]: `)).trim()),
    },
    close: () => lines.close(),
  }
}

function lineQueue(lines: Interface): () => Promise<string> {
  const waiting: string[] = []
  let isOver = false
  let wake = () => {}
  lines.on('line', (line) => {
    waiting.push(line)
    wake()
  })
  lines.on('close', () => {
    isOver = true
    wake()
  })
  return async () => {
    while (waiting.length === 0 && !isOver) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const line = waiting.shift()
    if (line === undefined) throw new BadInput(['the answers ended before the questions: nothing was written'])
    return line
  }
}
