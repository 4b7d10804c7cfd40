/** The configuration: read once, from one YAML file, into a frozen, checked object. Nobody else reads files or the environment. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { DEFAULT_STORY_POLICY, type StoryPolicy } from '#domain/policy'
import { BadInput } from '../bad-input.ts'
import { type Fault, faultLines, faultsIn, type Parsed } from './faults.ts'
import { type Config, configSchema } from './schema.ts'
import { secretOf, secretsIn } from './secrets.ts'

/** Checked as a whole, the secrets included, before anything is opened. Throws BadInput with every fault. */
export function readConfig(path: string): Config {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new BadInput([`${path}: cannot be read: ${error instanceof Error ? error.message : error}`])
  }
  const parsed = parseYaml(text, path)
  const config = checkConfig(parsed, path)
  refuse(path, parsed, secretFaults(config, dirname(path)))
  return config
}

/** The secrets are not looked for. `name` is what a fault says first. */
export const parseConfig = (text: string, name: string): Config => checkConfig(parseYaml(text, name), name)

function parseYaml(text: string, name: string): Parsed {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new BadInput(
      document.errors.map(({ pos, message }) => {
        const { line, col } = lines.linePos(pos[0])
        return `${name}:${line}:${col}: ${message}`
      }),
    )
  }
  return { document, lines }
}

function checkConfig(parsed: Parsed, name: string): Config {
  const checked = configSchema.safeParse(parsed.document.toJS())
  if (!checked.success) throw refusal(name, parsed, faultsIn(parsed.document, checked.error))
  const { plan, ...rest } = checked.data.policy
  const policy = {
    ...DEFAULT_STORY_POLICY,
    ...rest,
    plan: { ...DEFAULT_STORY_POLICY.plan, ...plan },
  } as StoryPolicy
  return Object.freeze({ ...checked.data, policy })
}

const secretFaults = (config: Config, baseDir: string): readonly Fault[] =>
  secretsIn(config).flatMap(({ path, ref }) => {
    try {
      secretOf(ref, baseDir)
      return []
    } catch (error) {
      if (error instanceof BadInput) return error.faults.map((text) => ({ path, text }))
      throw error
    }
  })

function refuse(name: string, parsed: Parsed, faults: readonly Fault[]): void {
  if (faults.length > 0) throw refusal(name, parsed, faults)
}

const refusal = (name: string, parsed: Parsed, faults: readonly Fault[]) =>
  new BadInput(faultLines(name, parsed, faults))
