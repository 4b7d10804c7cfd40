/** Promises 3, 4 and 6: guests lost, twice or stopped unasked; rules broken by our moves; pauses over budget in silence. */
import type { Rule } from '#domain/guest'
import type { NodeName, Vmid } from '#domain/ids'
import { schedule } from '#lab/world/events'
import { allGuests, guestOf, isRunning } from '#lab/world/guests'
import type { World, WorldCommand, WorldEvent, WorldGuest, WorldNode } from '#lab/world/state'
import { breakPromise } from './broken.ts'

/** Within this time after a pause somebody is told. */
const TOLD_WITHIN_MS = 600_000
/** Keep-together partners move in one step of the plan. */
const ONE_STEP_MS = 600_000
/** What came to a target so lately is not in the lists yet: nobody could know. */
const UNSEEN_MS = 30_000

export function checkAllGuests(world: World): void {
  for (const key in world.guests) checkOne(world, world.guests[key] as WorldGuest)
}

export function checkGuest(world: World, vmid: Vmid | undefined): void {
  const guest = vmid === undefined ? undefined : guestOf(world, vmid)
  if (guest) checkOne(world, guest)
}

function checkOne(world: World, guest: WorldGuest): void {
  const { vmid } = guest.spec
  if (guest.lost) breakPromise(world, 3, `guest ${vmid} is lost`)
  if (guest.runsOn.length > 1) {
    if (!world.startedTwice.includes(vmid)) world.startedTwice.push(vmid)
    breakPromise(world, 3, `guest ${vmid} runs on ${guest.runsOn.join(' and ')}`)
  }
  const last = guest.interruptions.at(-1)
  if (!last || last.why === 'blackout' || last.fromMs < world.startedAtMs) return
  const unasked = last.by === 'us' || (last.by === 'ha' && last.why === 'restart' && isMaintainedByUs(world, guest))
  if (unasked && !maySuffer(world, guest, last.why)) {
    breakPromise(world, 3, `guest ${vmid} was stopped (${last.why}) and nobody had said so`)
  }
}

function maySuffer(world: World, guest: WorldGuest, why: string): boolean {
  const { allowRestart } = world.cluster
  return why === 'restart' && (allowRestart === 'all' || allowRestart.includes(guest.spec.vmid))
}

/** Our maintenance mode made HA restart it. */
function isMaintainedByUs(world: World, guest: WorldGuest): boolean {
  const home = guest.haHome ?? guest.node
  return world.commands.some((one) => one.kind === 'set-maintenance-mode' && one.node === home && one.by === 'us')
}

/** Guests count on both ends from the moment that a move begins. */
export function checkMove(world: World, command: WorldCommand): void {
  const guest = command.guest === undefined ? undefined : guestOf(world, command.guest)
  const move = guest && Object.values(world.migrations).find((one) => one.guest === guest.spec.vmid)
  const target = move && world.nodes[move.to]
  if (!guest || !move || !target) return
  const what = `the move of guest ${guest.spec.vmid} to ${target.name}`
  if (isRunning(guest)) checkMemory(world, guest, target, what)
  for (const rule of world.rules) {
    if (rule.strict && rule.guests.includes(guest.spec.vmid))
      checkRule(world, { rule, guest, from: move.from, target, what })
  }
  const missing = guest.spec.disks.find(({ storage }) => !target.storages.some(({ id }) => id === storage))
  if (missing) breakPromise(world, 4, `${what}: storage ${missing.storage} is not there`)
}

function checkMemory(world: World, guest: WorldGuest, target: WorldNode, what: string): void {
  let bytes = target.memoryUsedBytes + guest.spec.memoryBytes
  for (const other of allGuests(world)) {
    const unseen = world.nowMs - (other.arrivedByOthersAtMs ?? Number.NEGATIVE_INFINITY) < UNSEEN_MS
    if (other !== guest && !unseen && other.runsOn.includes(target.name)) bytes += other.spec.memoryBytes
  }
  for (const move of Object.values(world.migrations)) {
    const other = guestOf(world, move.guest)
    if (
      move.by === 'us' &&
      move.to === target.name &&
      other &&
      other !== guest &&
      other.node !== target.name &&
      isRunning(other)
    )
      bytes += other.spec.memoryBytes
  }
  const limit = target.memoryBytes * (1 - world.cluster.memoryHeadroomFraction)
  if (bytes > limit)
    breakPromise(world, 4, `${what}: memory over the limit by ${Math.ceil((bytes - limit) / 2 ** 20)} MiB`)
}

type RuleCheck = {
  readonly rule: Rule
  readonly guest: WorldGuest
  readonly from: NodeName
  readonly target: WorldNode
  readonly what: string
}

/** What was broken before may stay so. */
function checkRule(world: World, { rule, guest, from, target, what }: RuleCheck): void {
  const { vmid } = guest.spec
  if (rule.kind === 'pin' && !rule.nodes.includes(target.name) && rule.nodes.includes(from))
    breakPromise(world, 4, `${what}: it is pinned to ${rule.nodes.join(', ')}`)
  if (rule.kind === 'keep-apart') {
    const near = rule.guests.find((other) => other !== vmid && countsAt(world, other, target.name))
    const wasBroken = near !== undefined && guestOf(world, near)?.node === from
    if (near !== undefined && !wasBroken) breakPromise(world, 4, `${what}: keep apart from guest ${near}`)
  }
  if (rule.kind === 'keep-together') {
    schedule(world, world.nowMs + ONE_STEP_MS, { kind: 'together-check', guest: vmid, movedAtMs: world.nowMs })
  }
}

function countsAt(world: World, vmid: Vmid, node: NodeName): boolean {
  const guest = guestOf(world, vmid)
  if (!guest || !isRunning(guest)) return false
  const unseen = world.nowMs - (guest.arrivedByOthersAtMs ?? Number.NEGATIVE_INFINITY) < UNSEEN_MS
  if (guest.node === node) return !unseen
  return Object.values(world.migrations).some((move) => move.guest === vmid && move.to === node && move.by === 'us')
}

/** One step after it moved, a guest is with its partners again, unless one still moves or lives on a dead node. */
export function checkTogether(world: World, event: Extract<WorldEvent, { kind: 'together-check' }>): void {
  const guest = guestOf(world, event.guest)
  if (!guest || !isRunning(guest)) return
  const { vmid } = guest.spec
  for (const rule of world.rules) {
    if (rule.kind !== 'keep-together' || !rule.strict || !rule.guests.includes(vmid)) continue
    const partners = rule.guests.map((id) => guestOf(world, id)).filter((one) => one !== undefined && isRunning(one))
    // Whoever was carried off since, by HA of itself or by hand, was torn away by others.
    if (partners.some((one) => (one?.tornAwayAtMs ?? 0) >= event.movedAtMs)) continue
    const apartSinceMs = Math.max(...partners.map((one) => one?.arrivedAtMs ?? 0))
    if (world.nowMs - apartSinceMs < ONE_STEP_MS) {
      schedule(world, apartSinceMs + ONE_STEP_MS, event)
      continue
    }
    const moving = Object.values(world.migrations).some((move) => rule.guests.includes(move.guest))
    const apart = partners.find((one) => one?.node !== guest.node)
    if (!moving && apart) breakPromise(world, 4, `guest ${vmid} is apart from guest ${apart.spec.vmid}`)
  }
}

/** A live move, ours or one that our maintenance mode made HA do, has switched: was its pause within the guest's budget? */
export function expectTold(world: World, id: string): void {
  const move = world.migrations[id]
  if (move?.phase !== 'finishing' || move.blackoutMs === undefined) return
  const ours = move.by === 'us' || (move.by === 'ha' && world.nodes[move.from]?.haMaintenanceBy === 'us')
  if (!ours) return
  const budgetMs = guestOf(world, move.guest)?.spec.pauseBudgetMs
  if (budgetMs === undefined || move.blackoutMs <= budgetMs) return
  const { guest, blackoutMs } = move
  schedule(world, world.nowMs + TOLD_WITHIN_MS, { kind: 'pause-check', guest, blackoutMs, endedAtMs: world.nowMs })
}

export function checkPause(world: World, event: Extract<WorldEvent, { kind: 'pause-check' }>): void {
  const { guest, blackoutMs, endedAtMs } = event
  const told = world.told.some((one) => one.about === 'pause' && one.guest === guest && one.atMs >= endedAtMs)
  if (!told)
    breakPromise(world, 6, `guest ${guest} was paused for ${blackoutMs} ms, over its budget, and nobody was told`)
}
