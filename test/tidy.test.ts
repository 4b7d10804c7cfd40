/** The house rules that a program can hold: layers, circles, sizes, purity, complete folders. Ratchets only go down. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  circlesIn,
  filesBelow,
  foldersIn,
  importsOf,
  type Layer,
  linesOf,
  ROOT,
  reachableFrom,
  type Source,
  sources,
  testsIn,
  textOf,
  withoutComments,
} from './tidy.ts'

/** Lines of a file; functions of at most 70 lines are Biome's to hold (biome.json). */
const FILE_LINES_LIMIT = 500
const README_LINES_LIMIT = 20
const DECISION_LINES_LIMIT = 30
const SCENARIO_README_LINES_LIMIT = 8
const SCENARIO_LOG_LINES_LIMIT = 120

const all = sources('src')
const product = all.filter(({ isTest }) => !isTest)
const everything = [...all, ...['contracts', 'scenarios', 'bench', 'test'].flatMap((folder) => sources(folder))]
const isPure = ({ layer }: Source) => layer === 'domain' || layer === 'ports' || layer === 'story'

/** How programs are run and how certificates are pinned: no system of their own. */
const SHARED_BY_DRIVERS: readonly Layer[] = ['drivers/exec', 'drivers/tls']

/** Clusters that several scenarios begin with. */
const SHARED_BY_SCENARIOS = ['clusters']

/** Who may import whom, besides itself: the table of docs/architecture.md. */
function mayImport(from: Layer, to: Layer): boolean {
  if (from === to) return true
  if (from === 'domain') return false
  if (from === 'ports') return to === 'domain'
  if (from === 'story') return to === 'domain' || to === 'ports'
  // The lab starts real daemons beside its simulated world; how a program is run is no driver's own affair.
  if (from === 'lab') return to === 'domain' || to === 'ports' || to === 'drivers/exec'
  if (from.startsWith('drivers/')) return to === 'domain' || to === 'ports' || SHARED_BY_DRIVERS.includes(to)
  if (from === 'app') return to !== 'surfaces'
  return from === 'surfaces' && (to === 'domain' || to === 'app')
}

const fileImports = (source: Source) => source.imports.filter((one) => one.is === 'file')
const packageImports = (source: Source) => source.imports.filter((one) => one.is === 'package')
const where = (source: Source, text: string) => `${source.path}: ${text}`
const layerOfTarget = (path: string) => all.find((file) => file.path === path)?.layer

describe('layers', () => {
  test('each layer imports only what the table of docs/architecture.md allows', () => {
    const wrong = product.flatMap((source) =>
      fileImports(source)
        .filter(({ path }) => !mayImport(source.layer, layerOfTarget(path) ?? 'outside src'))
        .map(({ written }) => where(source, `may not import ${written}`)),
    )
    expect(wrong).toEqual([])
  })

  test('domain, ports and story import no package and nothing of Node', () => {
    const wrong = product
      .filter(isPure)
      .flatMap((source) => packageImports(source).map(({ name }) => where(source, `imports ${name}`)))
    expect(wrong).toEqual([])
  })

  test('decide.ts needs nothing but the domain and its own neighbours, however far one follows', () => {
    const wrong = product
      .filter(({ path }) => path.startsWith('src/story/') && path.endsWith('/decide.ts'))
      .flatMap((source) =>
        reachableFrom(source.path, all)
          .filter((path) => layerOfTarget(path) !== 'domain' && layerOfTarget(path) !== 'story')
          .map((path) => where(source, `needs ${path}`)),
      )
    expect(wrong).toEqual([])
  })

  test('imports name the layer across layers, and the file inside one', () => {
    const wrong = all.flatMap((source) =>
      fileImports(source)
        .filter(({ path, written }) => {
          const isSame = layerOfTarget(path) === source.layer
          if (written.startsWith('../../')) return true
          return written.startsWith('.') ? !isSame && !source.isTest : false
        })
        .map(({ written }) => where(source, written)),
    )
    expect(wrong).toEqual([])
  })

  test('every import leads to a file that exists', () => {
    const wrong = everything.flatMap((source) =>
      fileImports(source)
        .filter(({ path }) => !existsSync(join(ROOT, path)))
        .map(({ written }) => where(source, written)),
    )
    expect(wrong).toEqual([])
  })

  test('no imports run in a circle', () => {
    expect(circlesIn(all).map((circle) => circle.join(' -> '))).toEqual([])
  })
})

describe('files', () => {
  test(`no file is longer than ${FILE_LINES_LIMIT} lines`, () => {
    const long = everything.filter(({ text }) => linesOf(text).length > FILE_LINES_LIMIT)
    expect(long.map(({ path, text }) => `${path}: ${linesOf(text).length}`)).toEqual([])
  })

  test('a file says its purpose at the top', () => {
    const silent = product.filter(({ text }) => !/^(#!.*\n)?\/[*/]/.test(text))
    expect(silent.map(({ path }) => path)).toEqual([])
  })

  test('no barrels and no default exports', () => {
    const wrong = product.filter(({ text }) =>
      /^export (\*|(type )?\{[^}]*\}) from |^export default /m.test(withoutComments(text)),
    )
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('time and chance come in as arguments', () => {
    const forbidden = /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)|\bperformance\.now\(|\bset(Timeout|Interval)\(/
    const wrong = product.filter((source) => isPure(source) && forbidden.test(withoutComments(source.text)))
    expect(wrong.map(({ path }) => path)).toEqual([])
  })

  test('what is still to do is an issue, not a comment', () => {
    const wrong = product.filter(({ text }) => /\b(TODO|FIXME|XXX)\b/.test(text))
    expect(wrong.map(({ path }) => path)).toEqual([])
  })
})

describe('packages', () => {
  test('the lockfile holds what package.json asks for, each at one exact version', () => {
    const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const
    const asked = JSON.parse(textOf('package.json'))
    const locked = JSON.parse(textOf('package-lock.json')).packages['']
    for (const kind of kinds) {
      expect(locked[kind], kind).toEqual(asked[kind])
      const loose = Object.values<string>(asked[kind]).filter((version) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      expect(loose, kind).toEqual([])
    }
  })
})

describe('tests', () => {
  test('each expects something', () => {
    const idle = everything
      .filter(({ isTest }) => isTest)
      .flatMap(({ path, text }) => testsIn(text).map((one) => ({ path, ...one })))
      .filter(({ body }) => !/expect|assert/i.test(body))
    expect(idle.map(({ path, name }) => `${path}: ${name}`)).toEqual([])
  })
})

describe('folders', () => {
  test('every folder of story, drivers and lab has a README of one screen', () => {
    const folders = ['src/story', 'src/drivers', 'src/lab'].flatMap((above) =>
      foldersIn(above).map((folder) => `${above}/${folder}`),
    )
    const wrong = folders.filter((folder) => {
      const readme = `${folder}/README.md`
      return !existsSync(join(ROOT, readme)) || linesOf(textOf(readme)).length > README_LINES_LIMIT
    })
    expect(wrong).toEqual([])
  })

  test('every scenario is complete, and short enough to be read', () => {
    const faults = foldersIn('scenarios')
      .filter((name) => !SHARED_BY_SCENARIOS.includes(name))
      .flatMap((name) => {
        const missing = ['README.md', 'cluster.json', 'script', 'log.expect'].filter(
          (file) => !existsSync(join(ROOT, 'scenarios', name, file)),
        )
        if (missing.length > 0) return [`${name}: ${missing.join(', ')} missing`]
        const long = [
          ['README.md', SCENARIO_README_LINES_LIMIT] as const,
          ['log.expect', SCENARIO_LOG_LINES_LIMIT] as const,
        ].filter(([file, limit]) => linesOf(textOf(`scenarios/${name}/${file}`)).length > limit)
        return long.map(([file, limit]) => `${name}/${file}: more than ${limit} lines`)
      })
    expect(faults).toEqual([])
  })

  test('decisions are numbered, each number once', () => {
    const numbers = filesBelow('docs/decisions', '.md').map(
      (path) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1] ?? path,
    )
    expect(numbers.filter((number, index) => !/^\d{4}$/.test(number) || numbers.indexOf(number) !== index)).toEqual([])
    const long = filesBelow('docs/decisions', '.md').filter(
      (path) => linesOf(textOf(path)).length > DECISION_LINES_LIMIT,
    )
    expect(long).toEqual([])
  })
})

describe('the tidy test itself', () => {
  test('sees every way to import', () => {
    const text = [
      "import { a,\n  b } from './a.ts'",
      "import type { C } from '#domain/plan'",
      "import * as all from 'node:fs'",
      "import thing, { other } from 'pg'",
      "import 'side-effect'",
      "export { d } from './d.ts'",
      "const late = await import('#domain/view')",
      "// import { no } from './comment.ts'",
    ].join('\n')
    expect(importsOf('src/app/x.ts', text).map((one) => (one.is === 'file' ? one.path : one.name))).toEqual([
      'src/app/a.ts',
      'src/domain/plan.ts',
      'node:fs',
      'pg',
      'src/app/d.ts',
      'side-effect',
      'src/domain/view.ts',
    ])
  })

  test('finds a circle and names it', () => {
    const file = (path: string, ...to: readonly string[]): Source => ({
      path,
      text: '',
      isTest: false,
      layer: 'domain',
      imports: to.map((target) => ({ is: 'file', path: target, written: target })),
    })
    expect(circlesIn([file('a', 'b'), file('b', 'c'), file('c', 'a'), file('d', 'a')])).toEqual([['a', 'b', 'c', 'a']])
  })

  test('notices a test that expects nothing', () => {
    const found = testsIn("test('a', () => {\n  run()\n})\ntest.each([1])('b', () => {\n  expect(1).toBe(1)\n})\n")
    expect(found.map(({ name, body }) => [name, /expect/.test(body)])).toEqual([
      ['a', false],
      ['b', true],
    ])
  })
})
