/**
 * NetBox's list of devices, read. Pure. After its published serializers and documentation (contracts/recordings/netbox/README.md):
 * racks in `rack`, a room in `location` (from 2.11), units in halves in `position` (from 3.3), serial '' where there is none.
 */
import { z } from 'zod'
import type { PlaceWords } from '#domain/place'

export type NetboxDevice = {
  readonly id: number
  readonly name: string
  /** 'active', 'offline', 'planned', 'decommissioning' … */
  readonly status: string
  readonly words: PlaceWords
}

export type DevicePage =
  | { readonly is: 'page'; readonly devices: readonly NetboxDevice[]; readonly isLast: boolean }
  | { readonly is: 'unknown'; readonly text: string }

const named = z.object({ name: z.string().nullish(), display: z.string().nullish() })
const device = z.object({
  id: z.number(),
  name: z.string().nullable(),
  serial: z.string().nullish(),
  asset_tag: z.string().nullish(),
  site: named.nullish(),
  location: named.nullish(),
  rack: named.nullish(),
  /** A decimal: a number, or its text where the server is told to write decimals so. */
  position: z.union([z.number(), z.string()]).nullish(),
  status: z.object({ value: z.string() }).nullish(),
  /** A blade: its chassis has the unit, and it a bay of it. */
  parent_device: named.extend({ device_bay: named.nullish() }).nullish(),
})
const page = z.object({ next: z.string().nullable(), results: z.array(device) })
const refusal = z.object({ detail: z.string() })

export function readDevices(json: unknown): DevicePage {
  const parsed = page.safeParse(json)
  if (!parsed.success) return { is: 'unknown', text: 'the answer is no list of NetBox’s devices' }
  const devices = parsed.data.results.flatMap((one) => (one.name === null ? [] : [readDevice(one, one.name)]))
  return { is: 'page', devices, isLast: parsed.data.next === null }
}

/** NetBox's own words for a refusal: `{"detail": "Invalid v1 token"}`. */
export function refusalIn(json: unknown): string {
  const parsed = refusal.safeParse(json)
  return parsed.success ? parsed.data.detail : ''
}

function readDevice(one: z.infer<typeof device>, name: string): NetboxDevice {
  const unit = unitOf(one)
  const words = {
    site: nameOf(one.site),
    room: nameOf(one.location),
    rack: nameOf(one.rack),
    unit,
    serial: text(one.serial),
    assetTag: text(one.asset_tag),
  }
  const known = Object.entries(words).filter(([, value]) => value !== undefined)
  return { id: one.id, name, status: one.status?.value ?? 'unknown', words: Object.fromEntries(known) }
}

const text = (value: string | null | undefined) => (value == null || value.trim() === '' ? undefined : value.trim())
const nameOf = (one: z.infer<typeof named> | null | undefined) => text(one?.name) ?? text(one?.display)

/** '17', '12.5'; of a blade its chassis and bay. */
function unitOf({ position, parent_device: parent }: z.infer<typeof device>): string | undefined {
  const unit = Number(position ?? Number.NaN)
  if (position !== '' && Number.isFinite(unit) && unit > 0) return String(unit)
  const chassis = nameOf(parent)
  return chassis === undefined ? undefined : [chassis, nameOf(parent?.device_bay)].filter(Boolean).join(', ')
}
