/** Configuration of OpenIPMI's BMC simulator for one node: sensors, FRU with its serial, GUID, and the chassis script. Pure. */

export type MiniBmc = {
  readonly dir: string
  readonly name: string
  readonly port: number
  readonly consolePort: number
  readonly user: string
  readonly password: string
  readonly systemUuid: string
  readonly serial: string
  readonly fans: readonly string[]
}

/** A fan's raw reading times this is its speed. */
export const RPM_A_STEP = 100
/** Thresholds of every fan, in steps: 1000, 500 and 300 RPM. */
const FAN = { lnc: 10, lc: 5, lnr: 3 }
const CPU = { unc: 85, uc: 90, unr: 95 }
const INLET = { unc: 40, uc: 45, unr: 50 }

type Thresholds = Partial<Record<'lnc' | 'lc' | 'lnr' | 'unc' | 'uc' | 'unr', number>>
const ORDER = ['lnc', 'lc', 'lnr', 'unc', 'uc', 'unr'] as const

type Analog = {
  readonly number: number
  readonly name: string
  /** IPMI's sensor type: 1 temperature, 4 fan. */
  readonly type: number
  readonly entity: readonly [id: number, instance: number]
  /** 1 degrees C, 0x12 RPM. */
  readonly unit: number
  readonly factor: number
  readonly raw: number
  readonly thresholds: Thresholds
}

const hex = (bytes: readonly number[]) =>
  bytes.map((byte) => `0x${(byte & 0xff).toString(16).padStart(2, '0')}`).join(' ')
const bits = (value: number, width: number) => value.toString(2).padStart(width, '0')
const sdr = (type: number, body: readonly number[]) => hex([0, 0, 0x51, type, body.length, ...body])
const label = (name: string) => [0xc0 | name.length, ...Buffer.from(name)]

export const valueFile = (dir: string, sensor: string) => `${dir}/val/${sensor}`

/** Every sensor with the raw value that it begins with. */
export function sensorsOf({ fans }: MiniBmc): readonly Analog[] {
  const fan = (name: string, index: number): Analog => ({
    number: index + 1,
    name,
    type: 4,
    entity: [0x1d, index + 1],
    unit: 0x12,
    factor: RPM_A_STEP,
    raw: 84,
    thresholds: FAN,
  })
  const temperature = (number: number, name: string, raw: number, thresholds: Thresholds): Analog => ({
    number,
    name,
    type: 1,
    entity: [name === 'Inlet_Temp' ? 7 : 3, number - 0x3f],
    unit: 1,
    factor: 1,
    raw,
    thresholds,
  })
  return [
    ...fans.map(fan),
    temperature(0x40, 'CPU1_Temp', 52, CPU),
    temperature(0x41, 'CPU2_Temp', 50, CPU),
    temperature(0x42, 'Inlet_Temp', 23, INLET),
  ]
}

/** An error in this file stops its reading silently and the port never opens; no `initstate` on polled sensors. */
export function emulatorCommands(bmc: MiniBmc): string {
  const fru = fruBytes(bmc.serial)
  return [
    'mc_setbmc 0x20',
    'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr',
    'sel_enable 0x20 1000 0x0a',
    ...sensorsOf(bmc).flatMap((sensor) => analogCommands(bmc.dir, sensor)),
    `mc_add_fru_data 0x20 0 ${fru.length} data ${hex(fru)}`,
    'mc_enable 0x20',
    '',
  ].join('\n')
}

function analogCommands(dir: string, sensor: Analog): readonly string[] {
  const { number, thresholds } = sensor
  const at = (name: keyof Thresholds) => thresholds[name] ?? 0
  const mask = ORDER.reduce((sum, name, bit) => sum | (thresholds[name] === undefined ? 0 : 1 << bit), 0)
  // Two events a threshold, going low and going high: lower ones matter going low, upper ones going high.
  const events = ORDER.reduce(
    (sum, name, bit) => sum | (thresholds[name] === undefined ? 0 : 1 << (bit * 2 + (bit > 2 ? 1 : 0))),
    0,
  )
  const values = [at('unr'), at('uc'), at('unc'), at('lnr'), at('lc'), at('lnc')]
  const wanted = bits(events, 15)
  const head = [0x20, 0, number, ...sensor.entity, 0x7f, 0x68, sensor.type, 1]
  const masks = [events & 0xff, events >> 8, events & 0xff, events >> 8, mask, 0]
  const scale = [0, sensor.unit, 0, 0, sensor.factor, 0, 0, 0, 0, 0, 0, sensor.raw, 0xff, 0, 0xff, 0]
  return [
    `main_sdr_add 0x20 ${sdr(1, [...head, ...masks, ...scale, ...values, 1, 1, 0, 0, 0, ...label(sensor.name)])}`,
    `sensor_add 0x20 0 ${number} ${sensor.type} 1 poll 200 file "${valueFile(dir, sensor.name)}"`,
    `sensor_set_threshold 0x20 0 ${number} readable ${bits(mask, 6)} ${values.join(' ')}`,
    `sensor_set_event_support 0x20 0 ${number} enable scanning per-state ${wanted} ${wanted} ${wanted} ${wanted}`,
    `sensor_set_hysteresis 0x20 0 ${number} fixed 1 1`,
  ]
}

/** As most BMCs send it, against IPMI's word: SMBIOS's order, the first three fields turned around. ipmitool guesses that right. */
function smbiosBytes(uuid: string): string {
  const [a = '', b = '', c = '', ...rest] = uuid.split('-')
  const turned = (field: string) => (field.match(/../g) ?? []).toReversed().join('')
  return [turned(a), turned(b), turned(c), ...rest].join('')
}

export function lanConf(bmc: MiniBmc): string {
  return `name "${bmc.name}"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${bmc.port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid ${smbiosBytes(bmc.systemUuid)}
  endlan
  chassis_control "${bmc.dir}/chassis.sh"
  user 1 true "" "" user 10 none
  user 2 true "${bmc.user}" "${bmc.password}" admin 10 none md2 md5 straight
console 127.0.0.1 ${bmc.consolePort}
`
}

/** `chassis.sh get|set|check [parameter [value]]…`: the power stands in a file, which our side reads and writes. */
export function chassisScript(dir: string): string {
  return `#!/bin/sh
cd '${dir}' || exit 1
case $1 in get|set|check) ;; *) shift;; esac
op=$1; shift
case $op in
  get) for name in "$@"; do case $name in power) echo "power:$(cat power)";; boot) echo boot:default;; *) echo "$name:0";; esac; done;;
  set) while [ $# -gt 0 ]; do case $1 in power) echo "$2" > power.new && mv power.new power;; identify) echo "$2 $3" > identify;; shutdown) echo 0 > power.new && mv power.new power;; esac; shift; shift; done;;
esac
exit 0
`
}

/** IPMI FRU (platform management FRU definition 1.0): a common header and one product area, English, with the serial in it. */
function fruBytes(serial: string): readonly number[] {
  const field = (text: string) => (text === '' ? [0] : [0xc0 | text.length, ...Buffer.from(text)])
  const fields = ['Coulisse', 'Mini node', '', '', serial, '', ''].flatMap(field)
  const body = [1, 0, 25, ...fields, 0xc1]
  while ((body.length + 1) % 8 !== 0) body.push(0)
  body[1] = (body.length + 1) / 8
  const header = [1, 0, 0, 0, 1, 0, 0]
  return [...header, checksum(header), ...body, checksum(body)]
}

const checksum = (bytes: readonly number[]) => (256 - (bytes.reduce((sum, byte) => sum + byte, 0) % 256)) % 256
