/** Tells the lab what the journal shows, so that its checkers can hold acts against intents and pages against the truth. */
import type { JournalRow } from '#domain/event'
import type { Journal } from '#ports/journal'
import type { Publisher } from '#ports/publisher'
import type { LabLink } from './link.ts'

/** Told before `append` returns: whatever acts afterwards acts with the lab knowing why. */
export function witnessedJournal(journal: Journal, link: LabLink): Journal {
  return {
    read: (maintenance, afterSeq) => journal.read(maintenance, afterSeq),
    async append(entry) {
      const row = await journal.append(entry)
      await tell(link, row)
      return row
    },
  }
}

async function tell(link: LabLink, { event }: JournalRow): Promise<void> {
  switch (event.kind) {
    case 'intends':
      await link.post('/intents', event.act)
      return
    case 'interlock':
      await link.post('/interlock', event.interlock)
      return
    case 'work-order-issued':
      await link.post('/work-order', event.order)
      return
    case 'work-order-refused':
      await link.post('/work-order/refused', { order: event.order })
      return
    default:
      return
  }
}

export function witnessedPublisher(publisher: Publisher, link: LabLink): Publisher {
  return {
    async publish(page) {
      await link.post('/pages', page)
      return publisher.publish(page)
    },
  }
}
