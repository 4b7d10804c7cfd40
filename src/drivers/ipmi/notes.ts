/** What we learnt of each BMC and keep across restarts: its cipher suite and its sensor records. One folder, ours alone. */
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordCount, recordsOf } from './sdr-file.ts'

export type CipherSuite = number | 'asked'

export type BmcNotes = {
  readonly cipherSuite?: CipherSuite
  readonly sdr?: SdrCopy
}

/** Of which sensor records the file beside is a copy. `sha256` is '' where this BMC gave no whole copy: then none is used. */
export type SdrCopy = { readonly version: string; readonly sha256: string }

export type NoteBook = {
  read(node: string, address: string): Promise<BmcNotes>
  write(node: string, address: string, notes: BmcNotes): Promise<void>
  /** The file for `ipmitool -S`, where it is whole and still what was written. */
  sdrFile(node: string, notes: BmcNotes): Promise<string | undefined>
  /** Takes the file that `sdr dump` wrote, if it holds every record of that version. */
  keepSdr(node: string, version: string, dumped: string): Promise<SdrCopy>
  /** Where `sdr dump` may write. */
  dumpFile(node: string): Promise<string>
  /** A file with this text, written once. */
  script(name: string, text: string): Promise<string>
  /** The HOME for ipmitool. */
  home(): Promise<string>
  /** Removes the folder, where it is not the configuration's. */
  close(): Promise<void>
}

/** @param dir kept with rights for us alone: whoever could write there would tell us which fans there are. Absent: a folder until `close`. */
export function noteBook(dir?: string): NoteBook {
  let opened: Promise<string> | undefined
  const folder = () => {
    opened ??= open(dir)
    return opened
  }
  // A node's name may hold what a file's may not.
  const fileOf = async (node: string, ending: string) => join(await folder(), `${encodeURIComponent(node)}.${ending}`)
  let home: Promise<string> | undefined
  const scripts = new Map<string, Promise<string>>()
  return {
    dumpFile: (node) => fileOf(node, 'sdr.next'),
    script: (name, text) => {
      const written = scripts.get(name) ?? folder().then((path) => writeWhole(join(path, name), text))
      scripts.set(name, written)
      return written
    },
    home: () => {
      home ??= folder().then(makeHome)
      return home
    },
    read: async (node, address) =>
      parseNotes(await readFile(await fileOf(node, 'json'), 'utf8').catch(() => ''), address),
    write: async (node, address, notes) => {
      await writeWhole(await fileOf(node, 'json'), JSON.stringify({ address, ...notes }))
    },
    sdrFile: async (node, { sdr }) => {
      if (sdr === undefined || sdr.sha256 === '') return undefined
      const file = await fileOf(node, 'sdr')
      const bytes = await readFile(file).catch(() => undefined)
      return bytes !== undefined && sha256Of(bytes) === sdr.sha256 ? file : undefined
    },
    keepSdr: async (node, version, dumped) => {
      const bytes = await readFile(dumped).catch(() => Buffer.alloc(0))
      if (recordCount(bytes) !== recordsOf(version)) {
        await rm(dumped, { force: true })
        return { version, sha256: '' }
      }
      await rename(dumped, await fileOf(node, 'sdr'))
      return { version, sha256: sha256Of(bytes) }
    },
    close: async () => {
      if (dir === undefined && opened !== undefined) await rm(await opened, { recursive: true, force: true })
    },
  }
}

/**
 * ipmitool 1.8.19 parses the list of all makers (4.7 MB) at each start, and looks for it in HOME first: 41 ms of processor a poll
 * with it, 14 ms with a list of one. We read no maker's name. An empty list ends ipmitool.
 */
const MAKERS = ['.local', 'usr', 'share', 'misc', 'enterprise-numbers.txt']

async function makeHome(dir: string): Promise<string> {
  await mkdir(join(dir, ...MAKERS.slice(0, -1)), { recursive: true, mode: 0o700 })
  await writeWhole(join(dir, ...MAKERS), '0\n  Reserved\n')
  return dir
}

/** Others may read at any moment: a file is always whole. */
async function writeWhole(file: string, text: string): Promise<string> {
  await writeFile(`${file}.next`, text, { mode: 0o600 })
  await rename(`${file}.next`, file)
  return file
}

async function open(dir: string | undefined): Promise<string> {
  if (dir === undefined) return mkdtemp(join(tmpdir(), 'coulisse-ipmi-'))
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await chmod(dir, 0o700)
  return dir
}

const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Notes of another address are of another BMC. */
function parseNotes(text: string, address: string): BmcNotes {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return {}
  }
  if (typeof value !== 'object' || value === null || !('address' in value) || value.address !== address) return {}
  const { cipherSuite, sdr } = value as { cipherSuite?: unknown; sdr?: unknown }
  return {
    ...(typeof cipherSuite === 'number' || cipherSuite === 'asked' ? { cipherSuite } : {}),
    ...(isSdr(sdr) ? { sdr } : {}),
  }
}

const isSdr = (value: unknown): value is SdrCopy =>
  typeof value === 'object' &&
  value !== null &&
  'version' in value &&
  typeof value.version === 'string' &&
  'sha256' in value &&
  typeof value.sha256 === 'string'
