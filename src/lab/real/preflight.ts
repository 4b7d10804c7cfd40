/** What the real part of the lab needs of the machine, and how to get it on Debian. */
import { access, constants, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { DriverError } from '#domain/driver-error'
import { run } from '#drivers/exec/run'

/** Programs, and the Debian package that each comes in. */
const PROGRAMS = [
  ['ceph', 'ceph-common'],
  ['ceph-authtool', 'ceph-common'],
  ['monmaptool', 'ceph-common'],
  ['ceph-mon', 'ceph-mon'],
  ['ceph-mgr', 'ceph-mgr'],
  ['ceph-osd', 'ceph-osd'],
  ['ipmi_sim', 'openipmi'],
  ['ipmitool', 'ipmitool'],
] as const

/** What real guests need besides. QEMU's part for disks on RBD is a library, not a program. */
const GUEST_PROGRAMS = [
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['busybox', 'busybox-static'],
  ['fping', 'fping'],
  ['ip', 'iproute2'],
] as const
const BUSYBOX = '/bin/busybox'
/** Where a program names its loader, if it needs one. */
const ELF_HEAD_BYTES = 4096
const RBD_OF_QEMU = '/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so'

const PYTHON = '/usr/bin/python3'
const INSTALL_LIMIT_MS = 600_000

export type Preflight =
  | { readonly is: 'ready' }
  | { readonly is: 'missing'; readonly programs: readonly string[]; readonly packages: readonly string[] }

export async function realPreflight({ withGuests = false } = {}): Promise<Preflight> {
  const missing: (readonly [program: string, debianPackage: string])[] = []
  const programs = withGuests ? [...PROGRAMS, ...GUEST_PROGRAMS] : PROGRAMS
  if (withGuests && !(await isThere(RBD_OF_QEMU, constants.R_OK))) missing.push(['block-rbd.so', 'qemu-block-extra'])
  for (const program of programs) if (!(await isInstalled(program[0]))) missing.push(program)
  if (withGuests && (await isDynamic(BUSYBOX))) missing.push(['busybox (static)', 'busybox-static'])
  if (!(await canImportRados())) missing.push(['python3-rados', 'python3-rados'])
  if (missing.length === 0) return { is: 'ready' }
  return {
    is: 'missing',
    programs: missing.map(([program]) => program),
    packages: [...new Set(missing.map(([, debianPackage]) => debianPackage))],
  }
}

async function isInstalled(program: string): Promise<boolean> {
  // Daemons live in /usr/sbin or /usr/bin; a person's PATH may lack the first.
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin']
  for (const place of places) {
    if (await isThere(join(place, program), constants.X_OK)) return true
  }
  return false
}

/** Debian's other busybox needs libraries, which a guest has not got. */
async function isDynamic(path: string): Promise<boolean> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0))
  return bytes.subarray(0, ELF_HEAD_BYTES).includes('ld-linux')
}

const isThere = (path: string, mode: number) =>
  access(path, mode).then(
    () => true,
    () => false,
  )

async function canImportRados(): Promise<boolean> {
  const command = [PYTHON, '-c', 'import rados']
  const ran = await run({ driver: 'real lab', doing: 'look for python3-rados', command, deadlineMs: 20_000 }).catch(
    () => undefined,
  )
  return ran?.code === 0
}

/**
 * Installs what is missing with apt-get; says first what it does.
 * @throws DriverError in words for a person where the machine is no Debian, or we are not root.
 */
export async function installReal(options: {
  readonly log: (line: string) => void
  readonly withGuests: boolean
}): Promise<void> {
  const { log, withGuests } = options
  const found = await realPreflight({ withGuests })
  if (found.is === 'ready') return
  const list = found.packages.join(' ')
  const no = (text: string) => new DriverError('real lab', `install ${list}`, { retry: 'never', text })
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '')
  if (!/^ID(_LIKE)?=.*debian/m.test(system)) {
    throw no(`this is no Debian; install these programs yourself: ${found.programs.join(', ')}`)
  }
  if (process.getuid?.() !== 0) throw no(`only root may; run: sudo apt-get install --no-install-recommends ${list}`)
  log(`installing ${list} (up to 400 MB)`)
  for (const command of [
    ['apt-get', 'update'],
    ['apt-get', 'install', '--yes', '--no-install-recommends', ...found.packages],
  ]) {
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    const ran = await run({ driver: 'real lab', doing: `install ${list}`, command, env, deadlineMs: INSTALL_LIMIT_MS })
    if (ran.code !== 0) throw no(ran.stderr.trim().split('\n').at(-1) ?? `apt-get ended with ${ran.code}`)
  }
}
