/** What a page says of itself. */
export type TellOptions = {
  /** Figures come from the lab: said wherever they are shown. */
  readonly simulated: boolean
  readonly hoster: string
}
