/** Several of `ipmitool`'s commands in one session (`exec FILE`): one process, one sign-in. Pure. */

/** Printed between the answers, so that each is found again. No BMC prints such a line. */
const MARK = '@coulisse '

/** The file for `ipmitool exec`: a command that fails does not keep the next from being run. */
export const scriptOf = (commands: readonly string[]): string =>
  commands.map((command, index) => `echo ${MARK}${index}\n${command}\n`).join('')

/** What each command of the script printed; '' for one that printed nothing or was not reached. */
export function answersIn(stdout: string, count: number): readonly string[] {
  const answers = Array.from({ length: count }, () => [] as string[])
  let current: string[] | undefined
  for (const line of stdout.split('\n')) {
    if (line.startsWith(MARK)) current = answers[Number(line.slice(MARK.length).trim())]
    else current?.push(line)
  }
  return answers.map((lines) => lines.join('\n'))
}
