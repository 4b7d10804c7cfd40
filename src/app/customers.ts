/** Whose guest is whose: by pool, tag or note in Proxmox, or by a list that the hoster keeps. */
import { readFileSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { type CustomerId, customerId } from '#domain/ids'
import { customerOfPool, type GuestTold } from '#drivers/proxmox/config'
import { BadInput } from './bad-input.ts'
import { type CustomersFrom, guestListSchema } from './config/customers-schema.ts'

export type CustomerRule = (guest: GuestTold) => CustomerId | undefined

/** @throws BadInput where a list cannot be read or says something else than which guest belongs to whom */
export function customerRuleOf(from: CustomersFrom, baseDir: string): CustomerRule {
  if (from === 'pool') return customerOfPool
  if ('tag' in from) return ({ tags }) => customerIn(tags, from.tag)
  if ('notes' in from) return ({ notes }) => customerIn(linesOf(notes), from.notes)
  const guests = 'guests' in from ? from.guests : listIn(from.guestsFile, baseDir)
  return ({ vmid }) => idOf(guests[vmid])
}

/** The first that begins so; what follows is the customer. Upper and lower case are one in a prefix: Proxmox lowers tags. */
function customerIn(texts: readonly string[], prefix: string): CustomerId | undefined {
  const found = texts.find((text) => text.toLowerCase().startsWith(prefix.toLowerCase()))
  return idOf(found?.slice(prefix.length).trim())
}

const idOf = (text: string | undefined) => (text === undefined || text === '' ? undefined : customerId(text))

const linesOf = (notes: string) => notes.split(/\r?\n/).map((line) => line.trim())

function listIn(file: string, baseDir: string): Readonly<Record<string, string>> {
  const path = isAbsolute(file) ? file : resolve(baseDir, file)
  let content: unknown
  try {
    content = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new BadInput([`${path}: cannot be read: ${error instanceof Error ? error.message.split('\n')[0] : error}`])
  }
  const list = guestListSchema.safeParse(content)
  if (list.success) return list.data
  throw new BadInput(
    list.error.issues.map((issue) => `${path}: ${z.core.toDotPath(issue.path) || 'the file'}: ${issue.message}`),
  )
}
