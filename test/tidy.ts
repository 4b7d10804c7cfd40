/** The source tree as the tidy test sees it: files, their layers, what they import. By text, for TypeScript 7 has no API. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

export type Source = {
  /** From the repository's root, with forward slashes: src/domain/plan.ts */
  readonly path: string
  readonly text: string
  /** A test, or what tests share: testing.ts, and what lies in a folder testing/. */
  readonly isTest: boolean
  readonly layer: Layer
  readonly imports: readonly Import[]
}

export type Import =
  | { readonly is: 'file'; readonly path: string; readonly written: string }
  | { readonly is: 'package'; readonly name: string; readonly written: string }

/** 'drivers/ceph': each driver is a layer of its own, for none knows another. */
export type Layer = string

/** Every file below a folder, by its path from the root. Missing folders are empty. */
export function filesBelow(folder: string, suffix = ''): readonly string[] {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
      .filter((path) => !path.includes('node_modules'))
      .sort()
  } catch {
    return []
  }
}

/** The names of the folders right below a folder. */
export function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(join(ROOT, folder), { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch {
    return []
  }
}

export const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8')
export const linesOf = (text: string) => text.replace(/\n$/, '').split('\n')

export const sources = (folder: string): readonly Source[] => filesBelow(folder, '.ts').map(readSource)

function readSource(path: string): Source {
  const text = textOf(path)
  const isTest = path.endsWith('.test.ts') || /\/testing(\/|\.ts$)/.test(path)
  return { path, text, isTest, layer: layerOf(path), imports: importsOf(path, text) }
}

function layerOf(path: string): Layer {
  const [top, first, second] = path.split('/')
  if (top !== 'src') return top ?? ''
  return first === 'drivers' ? `drivers/${second}` : (first ?? '')
}

const MAP = Object.entries<string>(JSON.parse(textOf('package.json')).imports).map(([from, to]) => ({
  prefix: from.slice(0, -1),
  folder: to.slice('./'.length, -'*.ts'.length),
}))

const CLAUSE = String.raw`(?:\*(?:\s+as\s+\w+)?|\w+(?:\s*,\s*\{[^}]*\})?|\{[^}]*\})`
const STATIC = new RegExp(String.raw`^(?:import|export)\s+(?:type\s+)?${CLAUSE}\s+from\s+'([^']+)'`, 'gm')
const BARE = /^import\s+'([^']+)'/gm
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g

/** Type imports count: a layer that needs another's types knows it. */
export function importsOf(path: string, text: string): readonly Import[] {
  const code = withoutComments(text)
  const written = [STATIC, BARE, DYNAMIC].flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => match[1] ?? ''),
  )
  return written.map((one) => resolve(path, one))
}

function resolve(path: string, written: string): Import {
  if (written.startsWith('.')) return { is: 'file', path: normalize(join(dirname(path), written)), written }
  const mapped = MAP.find(({ prefix }) => written.startsWith(prefix))
  if (mapped !== undefined)
    return { is: 'file', path: `${mapped.folder}${written.slice(mapped.prefix.length)}.ts`, written }
  return { is: 'package', name: written, written }
}

/** Whole-line comments and block comments; enough for the patterns here, which look at the beginnings of lines. */
export function withoutComments(text: string): string {
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '')
}

/** The circles of imports, each once, as paths; empty when there are none. */
export function circlesIn(files: readonly Source[]): readonly (readonly string[])[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const state = new Map<string, 'open' | 'closed'>()
  const trail: string[] = []
  const circles: string[][] = []
  const visit = (path: string): void => {
    if (state.get(path) === 'closed') return
    if (state.get(path) === 'open') {
      circles.push([...trail.slice(trail.indexOf(path)), path])
      return
    }
    state.set(path, 'open')
    trail.push(path)
    for (const one of byPath.get(path)?.imports ?? []) if (one.is === 'file') visit(one.path)
    trail.pop()
    state.set(path, 'closed')
  }
  for (const { path } of files) visit(path)
  return circles
}

/** Every file that a file needs, its own path included. */
export function reachableFrom(path: string, files: readonly Source[]): readonly string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = new Set([path])
  for (const one of reached) {
    for (const next of byPath.get(one)?.imports ?? []) if (next.is === 'file') reached.add(next.path)
  }
  return [...reached]
}

/** Tests of a file, each with the text from its head to the next one's: enough to see whether it expects anything. */
export function testsIn(text: string): readonly { readonly name: string; readonly body: string }[] {
  const heads = [...text.matchAll(/^\s*(?:test|it)(?:\.\w+(?:\([^)]*\))?)*\(\s*(['"`])(.*?)\1/gm)]
  return heads.map((head, index) => ({
    name: head[2] ?? '',
    body: text.slice(head.index, heads[index + 1]?.index ?? text.length),
  }))
}
