import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { vmid } from '#domain/ids'
import type { GuestTold } from '#drivers/proxmox/config'
import { customerRuleOf } from './customers.ts'

const folder = mkdtempSync(join(tmpdir(), 'coulisse-customers-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const guest: GuestTold = {
  vmid: vmid(101),
  pool: 'acorn/web',
  tags: ['prod', 'customer-birch'],
  notes: 'Web shop\r\nCustomer:  cedar \n',
}
const nobodys: GuestTold = { vmid: vmid(102), pool: undefined, tags: [], notes: '' }

test('a guest’s customer is found where the hoster keeps it', () => {
  writeFileSync(join(folder, 'guests.yaml'), '101: elm\n')
  const cases = [
    ['pool', 'acorn'],
    [{ tag: 'customer-' }, 'birch'],
    [{ tag: 'Customer-' }, 'birch'],
    [{ notes: 'customer:' }, 'cedar'],
    [{ guests: { 101: 'dogwood' } }, 'dogwood'],
    [{ guestsFile: 'guests.yaml' }, 'elm'],
  ] as const
  for (const [from, customer] of cases) {
    const rule = customerRuleOf(from, folder)
    expect([from, rule(guest), rule(nobodys)]).toEqual([from, customer, undefined])
  }
})

test('a prefix with nothing behind it names nobody', () => {
  expect(customerRuleOf({ tag: 'customer-' }, folder)({ ...guest, tags: ['customer-'] })).toBeUndefined()
})

test('a list that cannot be read or is none is refused with its path', () => {
  const refusal = (file: string) => {
    try {
      customerRuleOf({ guestsFile: file }, folder)
    } catch (error) {
      return String(error)
    }
    return 'taken'
  }
  writeFileSync(join(folder, 'bad.yaml'), 'web: acorn\n')
  writeFileSync(join(folder, 'broken.yaml'), 'a: [\n')
  expect(refusal('missing.yaml')).toContain('missing.yaml')
  expect(refusal('bad.yaml')).toMatch(/bad\.yaml: web/)
  expect(refusal('broken.yaml')).toContain('broken.yaml')
})
