/** The configuration and keys of a mini cluster: everything that a maintenance waits for, shrunk. Pure but for the keys' chance. */
export type MiniCeph = {
  readonly dir: string
  readonly fsid: string
  /** Host → its loopback address. */
  readonly addresses: ReadonlyMap<string, string>
  readonly monHosts: readonly string[]
  readonly mgrHosts: readonly string[]
  readonly osds: readonly { readonly id: number; readonly host: string }[]
  readonly client: CephxUser
}

/** The user that the driver signs in as, and its rights by daemon type. */
export type CephxUser = { readonly name: string; readonly caps: Readonly<Record<string, string>> }

/** What an OSD's file may grow to; it is sparse. */
export const OSD_BYTES = 4 * 2 ** 30

const messengers = (address: string) => `[v2:${address}:3300,v1:${address}:6789]`

export function cephConf(mini: MiniCeph): string {
  const address = (host: string) => mini.addresses.get(host) ?? ''
  return [
    ...globalSection(mini, mini.monHosts.map((host) => messengers(address(host))).join(',')),
    ...CLOCK,
    ...SMALL,
    ...mini.monHosts.flatMap((host) => [`[mon.${host}]`, `host = ${host}`, `public_addr = ${address(host)}`]),
    ...mini.osds.flatMap(({ id, host }) => [
      `[osd.${id}]`,
      `host = ${host}`,
      `public_addr = ${address(host)}`,
      `cluster_addr = ${address(host)}`,
      `crush_location = root=default host=${host}`,
    ]),
    '',
  ].join('\n')
}

const globalSection = ({ dir, fsid, monHosts }: MiniCeph, monHost: string) => [
  '[global]',
  `fsid = ${fsid}`,
  `mon_host = ${monHost}`,
  `mon_initial_members = ${monHosts.join(',')}`,
  'auth_cluster_required = cephx',
  'auth_service_required = cephx',
  'auth_client_required = cephx',
  'auth_allow_insecure_global_id_reclaim = false',
  `run_dir = ${dir}/run`,
  `admin_socket = ${dir}/run/$name.asok`,
  `log_file = ${dir}/log/$name.ceph.log`,
  `mon_cluster_log_file = ${dir}/log/cluster.log`,
  `mon_data = ${dir}/mon/$id`,
  `mgr_data = ${dir}/mgr/$id`,
  `osd_data = ${dir}/osd/$id`,
  `keyring = ${dir}/keyring`,
  `crash_dir = ${dir}/crash`,
  'ms_bind_ipv6 = false',
  'ms_async_op_threads = 1',
  'debug_ms = 0/0',
  'osd_pool_default_size = 3',
  'osd_pool_default_min_size = 2',
  'osd_pool_default_pg_autoscale_mode = off',
  'osd_crush_chooseleaf_type = 1',
  'mon_max_pg_per_osd = 1000',
]

/** A cut cable is found after 6 s instead of 20, an election takes 2 s; data still stays for 600 s. */
const CLOCK = [
  'osd_heartbeat_interval = 1',
  'osd_heartbeat_grace = 6',
  'osd_mon_heartbeat_interval = 2',
  'osd_mon_report_interval = 1',
  'mon_osd_min_down_reporters = 2',
  'mon_osd_reporter_subtree_level = host',
  'mon_osd_adjust_heartbeat_grace = false',
  'mon_osd_adjust_down_out_interval = false',
  'mon_osd_down_out_interval = 600',
  'mon_osd_down_out_subtree_limit = rack',
  'mon_osd_min_in_ratio = 0.3',
  'mon_tick_interval = 1',
  'mon_election_timeout = 2',
  'mon_lease = 2',
  'mon_lease_ack_timeout_factor = 2.0',
  'mon_accept_timeout_factor = 2.0',
  'mon_client_ping_interval = 2',
  'mon_client_ping_timeout = 5',
  'paxos_propose_interval = 0.2',
  'paxos_min_wait = 0.02',
  'mgr_tick_period = 1',
  'mgr_stats_period = 1',
  'mon_mgr_beacon_grace = 10',
  // Plain osd_recovery_sleep does not switch the sleeps off.
  'osd_recovery_sleep_hdd = 0',
  'osd_recovery_sleep_ssd = 0',
  'osd_recovery_sleep_hybrid = 0',
  'osd_recovery_delay_start = 0',
  'osd_max_backfills = 4',
  'osd_recovery_max_active = 8',
]

const SMALL = [
  'mon_data_avail_warn = 1',
  'mon_data_avail_crit = 1',
  'mon_warn_on_pool_no_redundancy = false',
  '[mon]',
  'mgr_initial_modules =',
  'mon_allow_pool_delete = true',
  '[client]',
  // Ten looks at once would quarrel about one socket and fill standard error with it.
  'admin_socket =',
  'log_file =',
  '[osd]',
  // memstore would forget everything at a power cut.
  'osd_objectstore = bluestore',
  'osd_op_num_shards = 2',
  'osd_op_num_threads_per_shard = 1',
  'osd_memory_target = 939524096',
  'bluestore_cache_autotune = false',
  'bluestore_cache_size = 33554432',
  `bluestore_block_size = ${OSD_BYTES}`,
  'bluestore_block_create = true',
  'bluestore_block_db_create = false',
  'bluestore_block_wal_create = false',
  'bluestore_fsck_quick_fix_on_mount = false',
  'osd_fast_shutdown = true',
  'osd_fast_shutdown_notify_mon = true',
  'osd_crush_initial_weight = 1',
]

export type Entity = { readonly name: string; readonly key: string; readonly caps: Readonly<Record<string, string>> }

export const VERIFY_USER = 'client.verify'
/** Whose disks real guests have: as Proxmox's, with the profile that may break the lock of a QEMU that died. */
export const GUESTS_USER = 'client.guests'

/** Every entity at once: given to `ceph-mon --mkfs`, no `ceph auth` round trip is left. */
export function entities({ mgrHosts, osds, client }: MiniCeph, newKey: () => string): readonly Entity[] {
  const all = 'allow *'
  return [
    { name: 'mon.', key: newKey(), caps: { mon: all } },
    { name: 'client.admin', key: newKey(), caps: { mon: all, osd: all, mgr: all, mds: all } },
    { ...client, key: newKey() },
    { name: VERIFY_USER, key: newKey(), caps: { mon: 'allow r', osd: 'allow rw' } },
    { name: GUESTS_USER, key: newKey(), caps: { mon: 'profile rbd', osd: 'profile rbd', mgr: 'profile rbd' } },
    ...mgrHosts.map((host) => ({
      name: `mgr.${host}`,
      key: newKey(),
      caps: { mon: 'allow profile mgr', osd: all, mds: all },
    })),
    ...osds.map(({ id }) => ({
      name: `osd.${id}`,
      key: newKey(),
      caps: { mon: 'allow profile osd', mgr: 'allow profile osd', osd: all },
    })),
  ]
}

export function keyringText(of: readonly Entity[]): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '\\"')}"`
  return of
    .map(({ name, key, caps }) =>
      [
        `[${name}]`,
        `\tkey = ${key}`,
        ...Object.entries(caps).map(([daemon, cap]) => `\tcaps ${daemon} = ${quoted(cap)}`),
        '',
      ].join('\n'),
    )
    .join('')
}

/** A cephx key: type 1 (AES), creation time, length 16, 16 random bytes; little endian, base64. */
export function cephxKey(atMs: number, random: Uint8Array): string {
  const header = Buffer.alloc(12)
  header.writeUInt16LE(1, 0)
  header.writeUInt32LE(Math.floor(atMs / 1000), 2)
  header.writeUInt16LE(random.length, 10)
  return Buffer.concat([header, random]).toString('base64')
}
