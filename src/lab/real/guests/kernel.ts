/** The guests' kernel: Debian's cloud kernel, taken out of its package. It is never installed: the machine's own boot stays as it is. */
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { run } from '#drivers/exec/run'
import { failed } from '../processes.ts'

export type GuestKernel = {
  readonly image: string
  /** In the order in which they are to be loaded. */
  readonly modules: readonly string[]
}

const META_PACKAGE = 'linux-image-cloud-amd64'
const WANTED = ['virtio_pci', 'virtio_net', 'virtio_blk']
const ASK_LIMIT_MS = 60_000
const DOWNLOAD_LIMIT_MS = 300_000

/** Found in `cacheDir`, or fetched (26 MB) and kept there. `log` is told before anything is downloaded. */
export async function guestKernel(cacheDir: string, log: (line: string) => void): Promise<GuestKernel> {
  const home = join(cacheDir, 'guest-kernel')
  const isThere = await access(join(home, 'order')).then(
    () => true,
    () => false,
  )
  if (!isThere) await fetchKernel(home, log)
  const names = (await readFile(join(home, 'order'), 'utf8')).trim().split('\n')
  return { image: join(home, 'vmlinuz'), modules: names.map((name) => join(home, name)) }
}

async function fetchKernel(home: string, log: (line: string) => void): Promise<void> {
  await mkdir(join(home, '..'), { recursive: true })
  const work = await mkdtemp(`${home}.`)
  try {
    const name = await packageName()
    log(`fetching the guests' kernel, ${name} (26 MB); it is unpacked, not installed`)
    await must('fetch the guests’ kernel', ['env', `--chdir=${work}`, 'apt-get', 'download', '-qq', name])
    const deb = (await readdir(work)).find((file) => file.endsWith('.deb'))
    if (deb === undefined) throw failed('fetch the guests’ kernel', new Error('apt-get left no package'))
    const tree = join(work, 'tree')
    await must('unpack the guests’ kernel', ['dpkg-deb', '-x', join(work, deb), tree])
    const ready = join(work, 'ready')
    await mkdir(ready)
    await takeImage(tree, ready)
    await takeModules(tree, ready)
    // Another may have been quicker; both hold the same.
    await rename(ready, home).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The one that the meta package stands for; the lists are fetched where there are none. */
async function packageName(): Promise<string> {
  const ask = async () => {
    const command = ['apt-cache', 'depends', META_PACKAGE]
    const { stdout } = await run({
      driver: 'real lab',
      doing: 'look for the kernel',
      command,
      deadlineMs: ASK_LIMIT_MS,
    })
    return /Depends: (linux-image-\S+)/.exec(stdout)?.[1]
  }
  const known = await ask()
  if (known !== undefined) return known
  await must('fetch the package lists', ['apt-get', 'update', '-qq'])
  const found = await ask()
  if (found !== undefined) return found
  throw failed('find the guests’ kernel', new Error(`apt knows no ${META_PACKAGE}: is this an amd64 Debian?`))
}

async function must(doing: string, command: readonly string[]): Promise<string> {
  const ran = await run({ driver: 'real lab', doing, command, deadlineMs: DOWNLOAD_LIMIT_MS })
  if (ran.code !== 0) throw failed(doing, new Error(ran.stderr.trim().split('\n').at(-1)))
  return ran.stdout
}

async function takeImage(tree: string, ready: string): Promise<void> {
  const image = (await readdir(join(tree, 'boot'))).find((file) => file.startsWith('vmlinuz-'))
  if (image === undefined) throw failed('unpack the guests’ kernel', new Error('no vmlinuz in its package'))
  await rename(join(tree, 'boot', image), join(ready, 'vmlinuz'))
}

/** The package comes without modules.dep: each module names what it needs in itself. */
async function takeModules(tree: string, ready: string): Promise<void> {
  const [merged, plain] = [join(tree, 'usr', 'lib', 'modules'), join(tree, 'lib', 'modules')]
  const folder = await access(plain).then(
    () => plain,
    () => merged,
  )
  const files = (await readdir(folder, { recursive: true })).filter((file) => /\.ko(\.xz)?$/.test(file))
  const byName = new Map(files.map((file) => [moduleName(file), join(folder, file)]))
  const order: string[] = []
  const take = async (name: string): Promise<void> => {
    if (order.includes(`${name}.ko`)) return
    const path = byName.get(name)
    // What is built in has no file.
    if (path === undefined) return
    const bytes = await moduleBytes(path)
    for (const needed of dependsOf(bytes)) await take(needed)
    await writeFile(join(ready, `${name}.ko`), bytes)
    order.push(`${name}.ko`)
  }
  for (const name of WANTED) await take(name)
  await writeFile(join(ready, 'order'), `${order.join('\n')}\n`)
}

const moduleName = (path: string) =>
  basename(path)
    .replace(/\.ko(\.xz)?$/, '')
    .replaceAll('-', '_')

async function moduleBytes(path: string): Promise<Buffer> {
  if (!path.endsWith('.xz')) return readFile(path)
  await must('unpack a module', ['busybox', 'unxz', '-f', path])
  return readFile(path.slice(0, -'.xz'.length))
}

/** `depends=a,b` between two zero bytes of its .modinfo section. */
export function dependsOf(module: Buffer): readonly string[] {
  const mark = '\0depends='
  const at = module.indexOf(mark)
  if (at < 0) return []
  const from = at + mark.length
  const text = module.toString('latin1', from, module.indexOf(0, from))
  return text
    .split(',')
    .filter((name) => name !== '')
    .map((name) => name.replaceAll('-', '_'))
}
