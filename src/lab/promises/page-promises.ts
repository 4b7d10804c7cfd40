/** Promises 8 and 9, by reading what customers read: no number that nobody measured, nothing of anybody else. */
import { allGuests } from '#lab/world/guests'
import type { World, WorldGuest } from '#lab/world/state'
import { breakPromise } from './broken.ts'
import { toldLeaseEnd } from './noout-promise.ts'

/** Words that claim what nobody can know. */
const CLAIMS = [/\bno impact\b/i, /\bsans impact\b/i, /\bsin impacto\b/i, /\b100 ?%/]
const MILLISECONDS = /(\d+(?:[.,\u202f\u00a0 ]\d{3})*)(?:\u00a0|\u202f| |&nbsp;|&#160;)?ms\b/g

/** A page tells of guests that are gone too. */
const everGuests = (world: World) => [...allGuests(world), ...(world.deleted ?? [])]

type Text = { readonly customer: string; readonly where: string; readonly text: string }

export function checkPage(world: World, page: { readonly customer: string; readonly html: string }): void {
  const words = { customer: page.customer, where: `the page of ${page.customer}`, text: plainText(page.html) }
  checkNumbers(world, words)
  checkStrangers(world, words)
}

type Mail = { readonly to: string; readonly subject: string; readonly text: string; readonly html?: string }

/** Mail to a customer is known by its address; operators and technicians may read all. */
export function checkMail(world: World, mail: Mail): void {
  noteTold(world, mail)
  const customer = customersOf(world).find((id) => mail.to.includes(`@${id}.`))
  if (customer === undefined) return
  const text = `${mail.subject}\n${mail.text}\n${plainText(mail.html ?? '')}`
  const words = { customer, where: `the mail "${mail.subject}" to ${customer}`, text }
  checkNumbers(world, words)
  checkStrangers(world, words)
}

/** Somebody was told of a pause or of a lease: promises 5 and 6 read this. */
function noteTold(world: World, { subject, text }: Mail): void {
  const words = `${subject}\n${text}`
  if (/\b(lease|noout)\b/i.test(words)) {
    const endsAtMs = toldLeaseEnd(words)
    world.told.push({ atMs: world.nowMs, about: 'lease', ...(endsAtMs === undefined ? {} : { endsAtMs }) })
  }
  if (!/\b(pause|paused|budget)\b/i.test(words)) return
  for (const { spec } of everGuests(world)) {
    if (words.includes(String(spec.vmid)) || words.includes(spec.name))
      world.told.push({ atMs: world.nowMs, about: 'pause', guest: spec.vmid })
  }
}

const plainText = (html: string) =>
  html
    .replace(/<(style|script)[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

const customersOf = (world: World) => [...new Set(everGuests(world).flatMap(({ customer }) => customer ?? []))]

function checkNumbers(world: World, { customer, where, text }: Text): void {
  for (const claim of CLAIMS) {
    if (claim.test(text)) breakPromise(world, 8, `${where} claims "${claim.exec(text)?.[0]}"`)
  }
  const own = everGuests(world).filter((guest) => guest.customer === customer)
  for (const [, digits] of text.matchAll(MILLISECONDS)) {
    const ms = Number((digits ?? '').replace(/\D/g, ''))
    if (!wasMeasured(world, own, ms)) breakPromise(world, 8, `${where} says ${ms} ms, and nobody measured that`)
  }
}

/** The hypervisor's pauses of his guests, the probe's multiples of its interval, a real prober's own figures, and what was agreed: never 0. */
function wasMeasured(world: World, own: readonly WorldGuest[], ms: number): boolean {
  if (ms === 0) return false
  if (ms % world.probe.intervalMs === 0) return true
  if (own.some(({ spec, probedMs }) => spec.pauseBudgetMs === ms || probedMs?.includes(ms))) return true
  const ids = own.map(({ spec }) => spec.vmid)
  const mark = `downtime ${ms} ms`
  return Object.values(world.tasks).some(
    (task) => task.guest !== undefined && ids.includes(task.guest) && task.log.some((line) => line.includes(mark)),
  )
}

function checkStrangers(world: World, { customer, where, text }: Text): void {
  const words = new Set(text.toLowerCase().split(/[^\p{L}\p{N}_-]+/u))
  for (const { spec, customer: owner } of everGuests(world)) {
    if (owner === customer) continue
    if (words.has(spec.name.toLowerCase()))
      breakPromise(world, 9, `${where} names ${spec.name} of ${owner ?? 'nobody'}`)
    if (new RegExp(`\\b(guest|invité|machine|máquina) ${spec.vmid}\\b`, 'i').test(text))
      breakPromise(world, 9, `${where} names guest ${spec.vmid} of ${owner ?? 'nobody'}`)
  }
  for (const other of customersOf(world)) {
    if (other !== customer && words.has(other.toLowerCase())) breakPromise(world, 9, `${where} names ${other}`)
  }
}
