import { expect, test } from 'vitest'
import { notifierContract } from '#contracts/notifier-contract'
import { type SunkMail, startSmtpSink, type Verdict } from '#lab/wire/smtp/smtp-sink'
import { smtpNotifier } from './smtp-notifier.ts'

/** Keeps mails as a mail box does: a Message-ID that is there already is the same mail. */
async function mailbox() {
  const mails = new Map<string, SunkMail>()
  const verdicts: Verdict[] = []
  const sink = await startSmtpSink({
    onMail: (mail) => {
      const verdict = verdicts.shift() ?? 'taken'
      if (verdict === 'taken' || verdict === 'drop') mails.set(mail.messageId, mail)
      return verdict
    },
  })
  const notifier = smtpNotifier({ host: '127.0.0.1', port: sink.port, from: 'Coulisse <coulisse@hoster.example>' })
  return { mails, verdicts, notifier, sink }
}

notifierContract('by SMTP to the lab’s sink', async () => {
  const { mails, verdicts, notifier, sink } = await mailbox()
  return {
    notifier,
    arrived: async () => [...mails.values()],
    failOnce: async () => void verdicts.push({ code: 451, text: '4.3.0 try again' }),
    close: () => sink.close(),
  }
})

const notice = { key: 'k1', to: 'ops@acorn.example', subject: 'Fan', text: 'FAN3' }

test('a mail whose answer got lost is sent again under the same Message-ID', async () => {
  const { mails, verdicts, notifier, sink } = await mailbox()
  verdicts.push('drop')
  await expect(notifier.send(notice)).rejects.toMatchObject({ retry: 'later' })
  await notifier.send(notice)
  expect(mails.size).toBe(1)
  await sink.close()
})

test('a recipient that does not exist is not asked for twice, and a server that is away is', async () => {
  const { verdicts, notifier, sink } = await mailbox()
  verdicts.push({ code: 550, text: '5.1.1 no such user' })
  await expect(notifier.send(notice)).rejects.toMatchObject({ retry: 'never' })
  await sink.close()
  await expect(notifier.send(notice)).rejects.toMatchObject({ retry: 'later' })
})

test('a line with a dot alone, and a name that would be a header, stay text', async () => {
  const { mails, notifier, sink } = await mailbox()
  await notifier.send({ ...notice, subject: 'Fan\r\nBcc: all@birch.example', text: 'one\n.\n..two\n' })
  const [mail] = mails.values()
  expect(mail?.to).toBe(notice.to)
  expect(mail?.text.trim()).toBe('one\n.\n..two')
  await sink.close()
})
