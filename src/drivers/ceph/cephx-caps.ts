/** The rights of our cephx user: all that the driver asks for, and not one command more. Tried on Ceph 16.2. */

export const CEPHX_USER = 'client.coulisse'

/** Where leases live among the cluster's config keys; other keys hold other people's secrets and stay closed. */
export const LEASE_PREFIX = 'coulisse/lease/'

const mon = [
  // Without `allow r` the client never learns where the mgr is, and ok-to-stop hangs. It opens no config-key.
  'allow r',
  'allow command "osd set-group" with flags=noout',
  'allow command "osd unset-group" with flags=noout',
  ...['set', 'get', 'rm'].map((verb) => `allow command "config-key ${verb}" with key prefix ${LEASE_PREFIX}`),
  'allow command "mgr fail"',
].join(', ')

export const cephxCaps = { mon, mgr: 'allow command "osd ok-to-stop"' } as const

const commandOf = (verb: string, user: string) => `ceph auth ${verb} ${user} \\
  mon '${cephxCaps.mon}' \\
  mgr '${cephxCaps.mgr}'`

/** What a person pastes on a node, as docs/operations.md shows it. */
export const cephxCommand = commandOf('get-or-create', CEPHX_USER)

/** Gives a user that exists these rights and takes all others away, which `get-or-create` refuses to do. */
export const cephxChangeCommand = (user: string): string => commandOf('caps', user)
