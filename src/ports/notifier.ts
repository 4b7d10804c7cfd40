/** Mail, or whatever reaches people. */
export type Notice = {
  /** The same key again is the same notice: a receiver can drop the second. */
  readonly key: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html?: string
}

export type Notifier = { send(notice: Notice): Promise<void> }
