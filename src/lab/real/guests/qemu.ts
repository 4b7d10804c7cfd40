/** The command line of one guest's QEMU on one node. Pure. */
import { fileURLToPath } from 'node:url'
import type { Vmid } from '#domain/ids'
import { BRIDGE, guestMac } from './net.ts'

export type GuestDisk = {
  readonly pool: string
  readonly image: string
  readonly conf: string
  /** Without 'client.'. */
  readonly user: string
}

export type QemuOptions = {
  readonly vmid: Vmid
  readonly address: string
  readonly namespace: string
  readonly kernel: string
  readonly initramfs: string
  readonly disk: GuestDisk
  readonly qmpSocket: string
  /** Waits for its state at this address instead of booting. */
  readonly incoming?: string
}

export const GUEST_MEMORY_MIB = 80
/** Debian's QEMU 7.2; both ends of a move must be the same machine. */
const MACHINE = 'pc-i440fx-7.2,hpet=off'
/** KVM opens in many virtual machines and boots nothing there: TCG runs everywhere. */
const ACCELERATOR = 'tcg,thread=single,tb-size=32'
/** Found by measuring: without them a guest under TCG waits for clocks that run unevenly. */
const KERNEL_WORDS =
  'console=ttyS0 quiet mitigations=off nokaslr no_timer_check tsc=unstable clocksource=acpi_pm panic=1'
const TAP_FD = '9'
export const PYTHON = '/usr/bin/python3'
const TAP_EXEC = fileURLToPath(new URL('tap-exec.py', import.meta.url))

export function qemuCommand(options: QemuOptions): readonly string[] {
  const { vmid, disk } = options
  return [
    ...[PYTHON, TAP_EXEC, options.namespace, `tap${vmid}`, BRIDGE, TAP_FD],
    ...['qemu-system-x86_64', '-name', `guest${vmid}`],
    ...['-M', MACHINE, '-accel', ACCELERATOR, '-cpu', 'qemu64', '-smp', '1', '-m', String(GUEST_MEMORY_MIB)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio'],
    ...['-kernel', options.kernel, '-initrd', options.initramfs],
    ...['-append', `${KERNEL_WORDS} address=${options.address}`],
    ...['-blockdev', JSON.stringify({ driver: 'rbd', 'node-name': 'disk0', ...disk, cache: { direct: true } })],
    ...['-device', 'virtio-blk-pci,drive=disk0'],
    ...['-netdev', `tap,id=net0,fd=${TAP_FD}`],
    ...['-device', `virtio-net-pci,netdev=net0,mac=${guestMac(vmid)},romfile=`],
    ...['-qmp', `unix:${options.qmpSocket},server=on,wait=off`],
    ...(options.incoming === undefined ? [] : ['-incoming', options.incoming]),
  ]
}
