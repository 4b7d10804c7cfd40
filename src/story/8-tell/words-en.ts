/** English. */
import { formatsFor } from './formats.ts'
import type { PartWord, Span, Words } from './words.ts'

const { count, list, number } = formatsFor('en')

const PART: Record<PartWord, string> = {
  fan: 'The fan',
  psu: 'The power supply',
  memory: 'The memory module',
  disk: 'The disk',
  part: 'The part',
  hardware: 'Hardware',
}

const spanText = ({ from, to, zone }: Span) =>
  to === undefined ? `since ${from} ${zone}` : `from ${from} to ${to} ${zone}`

export const ENGLISH: Words = {
  saw: ({ part, partKind, node, class: kind, times, span }) => {
    const often = `${count(times, { one: 'once', other: '# times' })}${span === undefined ? '' : ` in ${span}`}`
    const thing = `${PART[partKind]}${partKind === 'hardware' ? '' : ` ${part}`}`
    switch (kind) {
      case 'intermittent':
        return `${thing} of node ${node} stopped working ${often} and started again each time.`
      case 'hard':
        return `${thing} of node ${node} failed.`
      case 'common-cause':
        return `Several parts of node ${node} stopped working together, ${often}.`
      case 'operator':
        return `Our operators found a fault of node ${node}: ${part}.`
      case 'threshold':
      case 'bmc':
        return `The monitoring of node ${node} reported a fault: ${part}.`
    }
  },
  moved: ({ live, restart, offline, failed }) => {
    const did = [
      ...(live > 0
        ? [count(live, { one: 'moved # of your guests while it ran', other: 'moved # of your guests while they ran' })]
        : []),
      ...(restart > 0
        ? [count(restart, { one: 'restarted # guest to move it', other: 'restarted # guests to move them' })]
        : []),
      ...(offline > 0 ? [count(offline, { one: 'moved # stopped guest', other: 'moved # stopped guests' })] : []),
    ]
    const tries =
      failed > 0 ? count(failed, { one: ' # move did not succeed.', other: ' # moves did not succeed.' }) : ''
    return `${did.length > 0 ? `We ${list(did)}.` : 'None of your guests was moved.'}${tries}`
  },
  off: (span) => `The node was off ${spanText(span)}.`,
  home: ({ home, all }) =>
    home === all
      ? count(all, { one: 'Your guest is where it was before.', other: 'Your # guests are where they were before.' })
      : count(home, {
          one: `# of ${number(all)} guests is where it was before.`,
          other: `# of ${number(all)} guests are where they were before.`,
        }),
  pause: ({ longest, unmeasured, all }) =>
    `The longest pause that the hypervisor measured was ${longest}.${
      unmeasured > 0
        ? ` For ${number(unmeasured)} of ${count(all, { one: '# move', other: '# moves' })} it gave no figure.`
        : ''
    }`,
  pauseUnmeasured: 'Nobody measured how long your guests paused.',
  restartUnmeasured: 'How long a restart took was not measured.',
  probeClean: (interval) =>
    `Our outside probe asked every ${interval} and missed no answer; a shorter gap it cannot see.`,
  probeGap: ({ gap, interval, guest }) =>
    `Our outside probe, asking every ${interval}, saw a longest gap of ${gap}, on ${guest}.`,
  probeUnmeasured: 'Our outside probe measured nothing.',
  probePartly: ({ measured, all }) =>
    `It covered ${number(measured)} of ${count(all, { one: '# guest', other: '# guests' })}.`,
  probeUnwatched: (moves) =>
    count(moves, { one: '# move it did not watch to the end.', other: '# moves it did not watch to the end.' }),
  overBudget: ({ count: times, longest, budget }) =>
    `${count(times, { one: '# pause was', other: '# pauses were' })} longer than agreed: ${longest}, where ${budget} was the limit.`,
  reduced: (span) => `Storage ran with reduced redundancy ${spanText(span)}.`,
  repair: ({ by, outcome, took }) => {
    const after = took === undefined ? '' : `, ${took} after the order`
    switch (outcome) {
      case 'repaired':
        return `${by} repaired the node${after}.`
      case 'nothing-found':
        return `${by} checked the node and found nothing wrong${after}. We count that as a false alarm.`
      case 'cannot':
        return `${by} could not repair the node.`
    }
  },
  unverified: 'The check after the repair was not passed.',
  ending: {
    done: '',
    undone: 'The work was stopped, and what we had changed was taken back.',
    failed: 'The work was refused before anything was touched.',
    stuck: 'Part of the work could not be taken back. Our people are on it.',
    running: 'The work is not finished; this is how it stands.',
  },
  nothingRemains: 'Nothing is left to do for you.',
  stake: (guests) =>
    count(guests, {
      one: 'Had the node failed outright, # running guest of yours would have stopped with it, until restarted.',
      other: 'Had the node failed outright, # running guests of yours would have stopped with it, until restarted.',
    }),
  stakeRestart: ({ from, to, basis }) => `A restart takes ${from} to ${to} (basis: ${basis}).`,
  stakeUnmeasured: 'How long such a restart takes was not measured here.',
  stakeDoubt: 'Nobody can know whether it would have failed.',
  label: {
    title: ({ node, date }) => `Maintenance of node ${node}, ${date}`,
    for: 'For',
    simulated: 'Simulated',
    simulatedLong: 'Simulated: every figure here comes from a laboratory, not from a real cluster.',
    short: 'In short',
    stake: 'What was at stake',
    annex: 'In detail',
    guests: 'Your guests (virtual machines and containers)',
    when: 'When',
    way: 'Move',
    pause: 'Pause',
    budget: 'limit',
    mode: { live: 'while running', restart: 'restarted', offline: 'while stopped' },
    failed: 'did not succeed',
    open: 'outcome not recorded',
    unmeasured: 'not measured',
    whyUnmeasured: {
      'no-figure': 'the hypervisor gave no figure',
      already: 'found already done; nobody timed it',
      'was-stopped': 'it was not running',
      'not-moved': 'it stayed where it was',
      restart: 'nobody timed the restart',
    },
    neverMoved: 'Not moved.',
    movedByOthers: 'Also moved by others than us.',
    probe: 'Our outside probe',
    probeNone: 'Not measured: there is no reading for your guests.',
    lost: 'Answers missed',
    every: (interval) => `asked every ${interval}`,
    gap: 'Longest gap',
    gapNone: 'none seen',
    guest: 'Guest',
    repair: 'The repair',
    found: 'Found',
    did: 'Done',
    evidence: 'How we know',
    evidenceText: ({ entries, maintenance }) =>
      `Everything above is taken from the journal of maintenance ${maintenance}, ${entries} entries. Each entry seals the one before; a change anywhere would change the last seal:`,
    lastHash: 'Last seal (SHA-256)',
    zone: ({ zone, short }) => `All times are in ${zone === short ? zone : `the time zone ${zone} (${short})`}.`,
    chart: {
      timeline: 'What happened when',
      away: 'Guests moved away',
      off: 'The node was off',
      repair: 'Hands-on work',
      home: 'Guests moved home',
      redundancy: 'Redundancy of the storage',
      whole: 'All copies there',
      reduced: 'A copy fewer',
      probe: 'What the outside probe saw',
      what: 'What',
      watched: 'Watched',
      moved: 'Moved',
      probeLegend: 'Line: watched. Pale: the guest moved. Orange: the longest gap, higher for longer.',
    },
    asTable: 'As a table',
    colon: ': ',
  },
}
