/** What every notifier behind the port promises. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Notifier } from '#ports/notifier'

export type ArrivedNotice = {
  readonly key: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string
}

export type NotifierBench = {
  readonly notifier: Notifier
  arrived(): Promise<readonly ArrivedNotice[]>
  /** The next send fails in a way that time heals. */
  failOnce(): Promise<void>
  close(): Promise<void>
}

export function notifierContract(name: string, open: () => Promise<NotifierBench>) {
  describe(`a notifier, ${name}`, () => {
    let bench: NotifierBench
    beforeAll(async () => {
      bench = await open()
    })
    afterAll(() => bench?.close())

    test('a notice arrives as it was written, in every language we write', async () => {
      const notice = {
        key: 'mnt-1/customer/acorn/before',
        to: 'ops@acorn.example',
        subject: 'Ventilateur à réparer — mañana',
        text: 'Línea 1\nDes guillemets « français », 0 €.\n',
      }
      await bench.notifier.send(notice)
      await bench.notifier.send({ ...notice, key: 'mnt-1/customer/acorn/after', html: '<p>Fin</p>' })
      const [first, second] = await bench.arrived()
      expect(first).toMatchObject({ ...notice, text: expect.stringContaining('« français », 0 €') })
      expect(second?.html).toContain('<p>Fin</p>')
    })

    test('the same key again is the same notice for who receives it', async () => {
      const before = new Set((await bench.arrived()).map(({ key }) => key))
      const notice = { key: 'mnt-1/technician/1', to: 'rack@hoster.example', subject: 'Work order', text: 'Rack b' }
      await bench.notifier.send(notice)
      await bench.notifier.send(notice)
      const keys = (await bench.arrived()).map(({ key }) => key).filter((key) => !before.has(key))
      expect(new Set(keys)).toEqual(new Set([notice.key]))
    })

    test('a failure that time heals says so, and the notice may be sent again', async () => {
      const notice = { key: 'mnt-1/operator/9', to: 'night@hoster.example', subject: 'Approval', text: 'Please' }
      await bench.failOnce()
      await expect(bench.notifier.send(notice)).rejects.toMatchObject({ name: 'DriverError', retry: 'later' })
      await bench.notifier.send(notice)
      expect((await bench.arrived()).filter(({ key }) => key === notice.key)).toHaveLength(1)
    })
  })
}
