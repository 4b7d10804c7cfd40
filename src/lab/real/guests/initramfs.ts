/** The guests' whole system in one file: busybox, the modules for its disk and its network, and `guest-init.sh`. */
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '#drivers/exec/run'
import { failed } from '../processes.ts'
import type { GuestKernel } from './kernel.ts'

const BUSYBOX = '/bin/busybox'
const FOLDERS = ['bin', 'dev', 'proc', 'run', 'sys', 'modules', 'www']
const PACK_LIMIT_MS = 60_000

/** Answers the file's path; unpacked it is smaller than what TCG would need to decompress it in the time. */
export async function makeInitramfs(dir: string, { modules }: GuestKernel): Promise<string> {
  const root = join(dir, 'initramfs')
  const file = join(dir, 'initramfs.cpio')
  await rm(root, { recursive: true, force: true })
  for (const folder of FOLDERS) await mkdir(join(root, folder), { recursive: true })
  await copyFile(BUSYBOX, join(root, 'bin', 'busybox'))
  await copyFile(fileURLToPath(new URL('guest-init.sh', import.meta.url)), join(root, 'init'))
  await chmod(join(root, 'init'), 0o755)
  for (const module of modules) await copyFile(module, join(root, 'modules', basename(module)))
  await writeFile(join(root, 'modules', 'order'), `${modules.map((module) => basename(module)).join('\n')}\n`)
  const names = ['init', 'bin/busybox', 'modules/order', ...modules.map((module) => `modules/${basename(module)}`)]
  const ran = await run({
    driver: 'real lab',
    doing: 'pack the guests’ system',
    command: ['env', `--chdir=${root}`, BUSYBOX, 'cpio', '-o', '-H', 'newc', '-F', file],
    input: `${[...FOLDERS, ...names].join('\n')}\n`,
    deadlineMs: PACK_LIMIT_MS,
  })
  if (ran.code !== 0) throw failed('pack the guests’ system', new Error(ran.stderr.trim()))
  await rm(root, { recursive: true, force: true })
  return file
}
