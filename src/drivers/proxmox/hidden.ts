/** Guests that exist and that the token does not see: Proxmox leaves them out of every list, with 200. */
import { z } from 'zod'
import { property } from './look-network.ts'
import { numeric, type Refusal } from './schema.ts'
import { notOffered, type Sight } from './sight.ts'
import * as wire from './wire.ts'

/** Each costs a call; a few are proof enough. */
const PROOFS_LIMIT = 20
const LOWEST_VMID = 100

/** Recorded: 400 with {"vmid": "VM 100 already exists"}, whatever the token may see. */
const saysTaken = ({ status, text }: Refusal): boolean => status === 400 && text.includes('already exists')

/** Everybody may ask which number is free next: all below it are taken, seen or not. Undefined: nobody answered. */
export async function unseenNumbers(
  sight: Sight,
  seen: ReadonlySet<number>,
  options: wire.Options,
): Promise<readonly number[] | undefined> {
  const call = { doing: 'ask for the next free number', path: '/cluster/nextid' }
  const next = await sight.see(numeric, call, undefined)
  if (next === undefined) return undefined
  const lowest = Number(property(options['next-id'], 'lower') ?? LOWEST_VMID)
  const unseen: number[] = []
  for (let id = lowest; id < next && unseen.length < PROOFS_LIMIT; id++) if (!seen.has(id)) unseen.push(id)
  return unseen
}

/** Figures of all guests are for whoever has Sys.Audit on '/', VM.Audit or not. Before 8.3 there is no such path. */
export async function numbersWithFigures(sight: Sight): Promise<readonly number[]> {
  const call = { doing: 'list what has figures', path: '/cluster/metrics/export' }
  const told = await sight.seeUnless(notOffered, wire.metrics, call, { data: [] })
  const ids = told.data.flatMap(({ id }) => /^(?:qemu|lxc)\/(\d+)$/.exec(id)?.[1] ?? [])
  return [...new Set(ids)].map(Number)
}

/** Of those, the ones that do exist: a list may be older than a guest's end. */
export async function provenToExist(sight: Sight, ids: readonly number[]): Promise<readonly number[]> {
  const proven: number[] = []
  for (const id of ids.slice(0, PROOFS_LIMIT)) {
    const call = { doing: `ask whether number ${id} is taken`, path: '/cluster/nextid', params: { vmid: id } }
    if ((await sight.seeOr<unknown>(saysTaken, TAKEN, { schema: z.unknown(), call })) === TAKEN) proven.push(id)
  }
  return proven
}

const TAKEN = Symbol('taken')
