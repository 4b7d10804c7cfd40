/** A guest's configuration, read for what binds it to a node: disks, bridges, passed-through hardware, CPU type. */
import type { Guest, GuestDisk, GuestKind } from '#domain/guest'
import type { GuestConfig } from './wire.ts'

export type ConfigFacts = Pick<Guest, 'cpuType' | 'disks' | 'bridges' | 'passthrough' | 'onboot' | 'template'>

const VM_DISK = /^(ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+$/
const CT_DISK = /^(rootfs|mp\d+|unused\d+)$/
/** Virtiofs shares and host devices tie a guest to its node as much as a PCI card does. */
const VM_HOST_DEVICE = /^(hostpci|usb|serial|parallel|virtiofs)\d+$/
const CT_HOST_DEVICE = /^dev\d+$/
const NETWORK = /^net\d+$/
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }
/** qemu-server's own default when the configuration names no CPU. */
const DEFAULT_CPU = 'kvm64'

/** 'local:1/disk.raw,size=32G' becomes the first value and the named ones. */
function propertiesOf(text: string): { readonly first: string; readonly named: ReadonlyMap<string, string> } {
  const named = new Map<string, string>()
  let first = ''
  for (const [index, part] of text.split(',').entries()) {
    const at = part.indexOf('=')
    if (at > 0) named.set(part.slice(0, at), part.slice(at + 1))
    else if (index === 0) first = part
  }
  return { first, named }
}

function bytesOf(size: string | undefined): number | undefined {
  const match = /^([\d.]+)([KMGT]?)$/.exec(size ?? '')
  return match === null ? undefined : Math.round(Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1))
}

type Found = { readonly disk: GuestDisk } | { readonly passthrough: string } | undefined

/** A volume of a storage is a disk; a path of the node is passed through; an empty drive is nothing. */
function volumeOf(key: string, text: string): Found {
  const { first, named } = propertiesOf(text)
  const volume = first !== '' ? first : (named.get('file') ?? named.get('volume') ?? '')
  if (volume === '' || volume === 'none') return undefined
  if (volume.startsWith('/')) return named.get('shared') === '1' ? undefined : { passthrough: `${key}: ${volume}` }
  const colon = volume.indexOf(':')
  if (colon <= 0) return { passthrough: `${key}: ${volume}` }
  // An ISO has no size in the configuration and is not copied, but its storage must be there: it counts with what is known.
  return { disk: { storage: volume.slice(0, colon), bytes: bytesOf(named.get('size')) ?? 0 } }
}

function hostDeviceOf(key: string, text: string): string | undefined {
  // A SPICE channel and a serial socket are QEMU's own, not the node's.
  if (/^(host=)?spice\b/.test(text) || text === 'socket') return undefined
  return `${key}: ${text}`
}

export function readGuestConfig(kind: GuestKind, config: GuestConfig): ConfigFacts {
  const disks: GuestDisk[] = []
  const passthrough: string[] = []
  const bridges = new Set<string>()
  for (const [key, value] of Object.entries(config).sort(([left], [right]) => left.localeCompare(right))) {
    const text = String(value)
    if ((kind === 'vm' ? VM_DISK : CT_DISK).test(key)) {
      const found = volumeOf(key, text)
      if (found !== undefined && 'disk' in found) disks.push(found.disk)
      if (found !== undefined && 'passthrough' in found) passthrough.push(found.passthrough)
    } else if ((kind === 'vm' ? VM_HOST_DEVICE : CT_HOST_DEVICE).test(key)) {
      const device = hostDeviceOf(key, text)
      if (device !== undefined) passthrough.push(device)
    } else if (NETWORK.test(key)) {
      const bridge = propertiesOf(text).named.get('bridge')
      if (bridge !== undefined) bridges.add(bridge)
    }
  }
  const cpu = propertiesOf(String(config.cpu ?? DEFAULT_CPU))
  return {
    cpuType: kind === 'ct' ? 'unknown' : cpu.first !== '' ? cpu.first : (cpu.named.get('cputype') ?? DEFAULT_CPU),
    disks,
    bridges: [...bridges],
    passthrough,
    onboot: Number(config.onboot ?? 0) === 1,
    template: Number(config.template ?? 0) === 1,
  }
}
