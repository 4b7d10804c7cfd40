/** What the contracts over real daemons need of this machine: said before they run, since each leaves itself out without it. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Program, its Debian package, and what of Coulisse meets it. */
const PROGRAMS = [
  ['ceph', 'ceph-common', 'Ceph'],
  ['ceph-mon', 'ceph-mon', 'Ceph'],
  ['ceph-mgr', 'ceph-mgr', 'Ceph'],
  ['ceph-osd', 'ceph-osd', 'Ceph'],
  ['ipmi_sim', 'openipmi', 'IPMI'],
  ['ipmitool', 'ipmitool', 'IPMI'],
  ['sshd', 'openssh-server', 'ha-manager over ssh'],
  ['prometheus', 'prometheus', 'Prometheus'],
  ['prometheus-alertmanager', 'prometheus-alertmanager', 'Prometheus'],
  ['prometheus-ipmi-exporter', 'prometheus-ipmi-exporter', 'Prometheus'],
  ['qemu-system-x86_64', 'qemu-system-x86', 'guests'],
  ['busybox', 'busybox-static', 'guests'],
  ['fping', 'fping', 'guests'],
  ['ip', 'iproute2', 'guests'],
] as const

export type RealMachine = {
  readonly isRoot: boolean
  readonly missing: readonly { readonly program: string; readonly debianPackage: string; readonly of: string }[]
}

export function lookAtMachine(): RealMachine {
  const missing = PROGRAMS.filter(([program]) => !isInstalled(program))
  return {
    isRoot: process.getuid?.() === 0,
    missing: missing.map(([program, debianPackage, of]) => ({ program, debianPackage, of })),
  }
}

/** Lines for a person, none where nothing is missing. */
export function machineWords({ isRoot, missing }: RealMachine): readonly string[] {
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))]
  const areas = [...new Set(missing.map(({ of }) => of))]
  return [
    ...(isRoot
      ? []
      : ['not root: what starts daemons or makes network namespaces is left out; run it again with sudo']),
    ...(packages.length === 0
      ? []
      : [
          `missing for ${areas.join(', ')}: ${missing.map(({ program }) => program).join(', ')}`,
          `  apt-get install --no-install-recommends ${packages.join(' ')}`,
        ]),
  ]
}

/** Daemons live in sbin, which a person's PATH may lack. */
function isInstalled(program: string): boolean {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/sbin']
  return places.some((place) => {
    try {
      accessSync(join(place, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
