import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepPhotoIn } from './photos.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'coulisse-photos-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const picture = { type: 'image/png', bytes: new Uint8Array([137, 80, 78, 71]) }

test('the same picture sent twice over a bad link is kept once', () => {
  const name = keepPhotoIn(folder, picture)
  expect(keepPhotoIn(folder, picture)).toBe(name)
  expect(readdirSync(folder)).toEqual([name])
  expect([...readFileSync(join(folder, name))]).toEqual([...picture.bytes])
})

test('what is no picture is refused, and nothing is written', () => {
  expect(() => keepPhotoIn(folder, { ...picture, type: 'text/html' })).toThrow('is no picture')
  expect(readdirSync(folder)).toEqual([])
})
