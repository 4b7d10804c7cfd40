/** Tells the lab what the journal shows, so that its checkers can hold acts against intents and pages against the truth. */
import type { JournalRow } from '#domain/event'
import type { Journal } from '#ports/journal'
import type { Publisher } from '#ports/publisher'
import type { LabLink } from './link.ts'

/** Told before `append` returns: whatever acts afterwards acts with the lab knowing why. */
export function witnessedJournal(journal: Journal, link: LabLink): Journal {
  return {
    read: (maintenance, afterSeq) => journal.read(maintenance, afterSeq),
    readMoves: (cluster) => journal.readMoves(cluster),
    async append(entry) {
      const appended = await journal.append(entry)
      await tell(link, appended.row)
      return appended
    },
  }
}

/** Long, and nothing that a checker needs. */
const NOT_TOLD: readonly JournalRow['event']['kind'][] = ['guest-copying', 'hardware-recorded', 'probe-read']

async function tell(link: LabLink, { event }: JournalRow): Promise<void> {
  if (!NOT_TOLD.includes(event.kind)) await link.post('/journal', event)
}

export function witnessedPublisher(publisher: Publisher, link: LabLink): Publisher {
  return {
    async publish(page) {
      await link.post('/pages', page)
      return publisher.publish(page)
    },
  }
}
