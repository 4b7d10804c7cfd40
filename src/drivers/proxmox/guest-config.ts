/** A guest's configuration, read for what binds it to a node: disks, images in drives, bridges, hardware, CPU type. */
import type { Guest, GuestDisk, GuestKind } from '#domain/guest'
import type { GuestConfig } from './wire.ts'

/** In a drive, and read-only: Proxmox copies disks, never these. */
export type DriveImage = {
  readonly slot: string
  readonly storage: string
  readonly volume: string
  readonly bytes: number
}
/** By a name of the cluster's (/cluster/mapping): whichever node has the name may have the guest. */
export type MappedDevice = { readonly slot: string; readonly kind: MappingKind; readonly mapping: string }
export type MappingKind = 'pci' | 'usb' | 'dir'

export type ConfigFacts = Pick<Guest, 'cpuType' | 'disks' | 'bridges' | 'passthrough' | 'onboot' | 'template'> & {
  readonly images: readonly DriveImage[]
  readonly devices: readonly MappedDevice[]
  readonly notes: string
}

const VM_DISK = /^(ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+$/
const CT_DISK = /^(rootfs|mp\d+|unused\d+)$/
/** Virtiofs shares and host devices tie a guest to its node as much as a PCI card does. */
const VM_HOST_DEVICE = /^(hostpci|usb|serial|parallel|virtiofs)\d+$/
const CT_HOST_DEVICE = /^dev\d+$/
/** Raw lines of LXC's own: [["lxc.mount.entry", "/dev/dri dev/dri none bind"], …]. These give it something of its node. */
const LXC_HOST_LINE = /^lxc\.(mount\.entry|cgroup2?\.devices\.allow|net\.\d+\.)/
const NETWORK = /^net\d+$/
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }
/** qemu-server's own default when the configuration names no CPU. */
const DEFAULT_CPU = 'kvm64'

type Properties = { readonly first: string; readonly named: ReadonlyMap<string, string> }

/** 'local:1/disk.raw,size=32G' becomes the first value and the named ones. */
function propertiesOf(text: string): Properties {
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
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(size ?? '')
  return match === null ? undefined : Math.round(Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1))
}

type Found =
  | { readonly disk: GuestDisk }
  | { readonly image: DriveImage }
  | { readonly passthrough: string }
  | undefined

/** A volume of a storage is a disk; a path of the node is passed through; an empty drive is nothing. */
function volumeOf(slot: string, text: string): Found {
  const { first, named } = propertiesOf(text)
  const volume = first !== '' ? first : (named.get('file') ?? named.get('volume') ?? '')
  if (volume === '' || volume === 'none') return undefined
  // 'cdrom': the node's own drive.
  if (volume.startsWith('/')) return named.get('shared') === '1' ? undefined : { passthrough: `${slot}: ${volume}` }
  const colon = volume.indexOf(':')
  if (colon <= 0) return { passthrough: `${slot}: ${volume}` }
  const storage = volume.slice(0, colon)
  // An image has no size in some configurations, and is not copied; but its storage must be there.
  const bytes = bytesOf(named.get('size')) ?? 0
  // A cloud-init drive is made by Proxmox for this guest, and goes along as a disk does.
  if (named.get('media') !== 'cdrom' || /cloudinit/.test(volume)) return { disk: { storage, bytes } }
  return { image: { slot, storage, volume, bytes } }
}

function deviceOf(
  slot: string,
  text: string,
): { readonly device: MappedDevice } | { readonly passthrough: string } | undefined {
  // A SPICE channel and a serial socket are QEMU's own, not the node's.
  if (/^(host=)?spice\b/.test(text) || text === 'socket') return undefined
  const { first, named } = propertiesOf(text)
  const directory = slot.startsWith('virtiofs') ? (named.get('dirid') ?? first) : undefined
  if (directory !== undefined && directory !== '') return { device: { slot, kind: 'dir', mapping: directory } }
  const mapping = named.get('mapping')
  if (mapping === undefined || mapping === '') return { passthrough: `${slot}: ${text}` }
  return { device: { slot, kind: slot.startsWith('usb') ? 'usb' : 'pci', mapping } }
}

/** JSON gives LXC's raw lines as pairs. */
function hostLinesOf(lines: unknown): readonly string[] {
  if (!Array.isArray(lines)) return []
  return lines.flatMap((line) => {
    const [key, value] = Array.isArray(line) ? line : []
    return typeof key === 'string' && LXC_HOST_LINE.test(key) ? [`${key}: ${value}`] : []
  })
}

/** 'max' is whatever the node's CPU can do, so it is bound to it as 'host' is. */
function cpuTypeOf(text: string): string {
  const { first, named } = propertiesOf(text)
  const type = first !== '' ? first : (named.get('cputype') ?? DEFAULT_CPU)
  return type === 'max' ? 'host' : type
}

const isOn = (value: unknown): boolean => Number(value ?? 0) === 1

export function readGuestConfig(kind: GuestKind, config: GuestConfig): ConfigFacts {
  const disks: GuestDisk[] = []
  const images: DriveImage[] = []
  const passthrough: string[] = []
  const devices: MappedDevice[] = []
  const bridges = new Set<string>()
  for (const [key, value] of Object.entries(config).sort(([left], [right]) => left.localeCompare(right))) {
    if (typeof value === 'object' || value === undefined) continue
    const text = String(value)
    if ((kind === 'vm' ? VM_DISK : CT_DISK).test(key)) {
      const found = volumeOf(key, text)
      if (found === undefined) continue
      if ('disk' in found) disks.push(found.disk)
      else if ('image' in found) images.push(found.image)
      else passthrough.push(found.passthrough)
    } else if ((kind === 'vm' ? VM_HOST_DEVICE : CT_HOST_DEVICE).test(key)) {
      const found = deviceOf(key, text)
      if (found === undefined) continue
      if ('device' in found) devices.push(found.device)
      else passthrough.push(found.passthrough)
    } else if (NETWORK.test(key)) {
      const bridge = propertiesOf(text).named.get('bridge')
      if (bridge !== undefined) bridges.add(bridge)
    }
  }
  return {
    cpuType: kind === 'ct' ? 'unknown' : cpuTypeOf(typeof config.cpu === 'string' ? config.cpu : DEFAULT_CPU),
    disks,
    images,
    bridges: [...bridges],
    passthrough: [...passthrough, ...(kind === 'ct' ? hostLinesOf(config.lxc) : [])],
    devices,
    onboot: isOn(config.onboot),
    template: isOn(config.template),
    notes: typeof config.description === 'string' ? config.description : '',
  }
}
