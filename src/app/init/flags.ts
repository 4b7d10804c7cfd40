/** What init may be told beforehand; whatever is left open is asked, or taken from its preset. */

export type InitFlags = {
  readonly entryPoint: readonly string[]
  readonly fingerprint: readonly string[]
  readonly trustOnFirstUse: boolean
  readonly tokenId?: string
  /** file:PATH or env:NAME, as every secret here. */
  readonly tokenSecret?: string
  readonly nodes?: string
  /** NODE=redfish://USER@HOST */
  readonly bmc: readonly string[]
  /** [NODE=]file:PATH */
  readonly bmcPassword: readonly string[]
  readonly ceph?: string
  readonly cephConf: string
  readonly cephKeyring: string
  readonly cephName: string
  readonly sshKey?: string
  readonly smtp?: string
  readonly mailFrom?: string
  readonly operatorMail?: string
  readonly technicianMail?: string
  readonly state: string
  readonly database?: string
  readonly lab?: string
}
