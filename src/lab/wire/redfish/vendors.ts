/**
 * How the BMCs of three makers differ behind one standard, as far as it meets a client. Facts from published documents:
 * iDRAC: Dell's iDRAC9 Redfish API guide and its event message reference; answers shown in check_redfish issue 181 and
 * idrac_exporter issue 26 (newest first, EntryCode in lists on older ones); a first PATCH that fails with 412 in
 * iDRAC-Redfish-Scripting issue 354. iLO: HPE's iLO 5 and 6 resource definitions (servermanagementportal.ext.hpe.com: log
 * services, redfish events, OData queries). Supermicro: its Redfish reference guide, answers in check_redfish issue 74; 428
 * without If-Match is DSP0266's, as met in ansible issue 56050. Fans keep the world's names, so that a night reads the same.
 */

export type VendorName = 'idrac' | 'ilo' | 'supermicro'

export type Vendor = {
  readonly name: VendorName
  readonly systemId: string
  readonly chassisId: string
  readonly managerId: string
  /** iLO ends its paths with a slash. */
  readonly slash: '' | '/'
  readonly vendor: string
  /** The log of the hardware: whose it is, and its id. */
  readonly log: { readonly of: 'system' | 'manager'; readonly id: string; readonly type?: 'SEL' }
  /** Logs beside it, which hold what is not of the hardware, or the same again. */
  readonly otherLogs: readonly { readonly of: 'system' | 'manager'; readonly id: string }[]
  readonly newestFirst: boolean
  /** iLO lists links, and shows what is behind them when it is asked to expand. */
  readonly listsLinks: boolean
  readonly expands: boolean
  /** The newer form beside the older one, or the older one alone. */
  readonly hasSubsystems: boolean
  readonly fanUnits: 'RPM' | 'Percent'
  readonly sendsStream: boolean
  /** Where an ETag is told, and whether a change needs one. */
  readonly etag: 'header' | 'weak-header' | 'body'
  readonly needsIfMatch: boolean
  /** Refuses the first change of all with 412, ETag or not. */
  readonly refusesFirstChange: boolean
  readonly locate: 'LocationIndicatorActive' | 'IndicatorLED'
  readonly ledValues: readonly string[]
  readonly resetTypes: readonly string[]
  /** Told with the action, or in a resource of its own. */
  readonly resetTypesIn: 'action' | 'action-info'
  /** Tells each event twice. */
  readonly repeatsEvents: boolean
}

const IDRAC: Vendor = {
  name: 'idrac',
  vendor: 'Dell',
  systemId: 'System.Embedded.1',
  chassisId: 'System.Embedded.1',
  managerId: 'iDRAC.Embedded.1',
  slash: '',
  log: { of: 'manager', id: 'Sel', type: 'SEL' },
  otherLogs: [
    { of: 'manager', id: 'Lclog' },
    { of: 'manager', id: 'FaultList' },
  ],
  newestFirst: true,
  listsLinks: false,
  expands: true,
  hasSubsystems: true,
  fanUnits: 'RPM',
  sendsStream: true,
  etag: 'header',
  needsIfMatch: false,
  refusesFirstChange: true,
  locate: 'LocationIndicatorActive',
  ledValues: ['Lit', 'Blinking', 'Off'],
  resetTypes: [
    'On',
    'ForceOff',
    'ForceRestart',
    'GracefulRestart',
    'GracefulShutdown',
    'PushPowerButton',
    'Nmi',
    'PowerCycle',
  ],
  resetTypesIn: 'action',
  repeatsEvents: true,
}

const ILO: Vendor = {
  name: 'ilo',
  vendor: 'HPE',
  systemId: '1',
  chassisId: '1',
  managerId: '1',
  slash: '/',
  log: { of: 'system', id: 'IML' },
  otherLogs: [
    { of: 'system', id: 'SL' },
    { of: 'manager', id: 'IEL' },
  ],
  newestFirst: false,
  listsLinks: true,
  expands: true,
  hasSubsystems: false,
  fanUnits: 'Percent',
  sendsStream: false,
  etag: 'weak-header',
  needsIfMatch: false,
  refusesFirstChange: false,
  locate: 'IndicatorLED',
  ledValues: ['Lit', 'Off'],
  resetTypes: ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart', 'Nmi', 'PushPowerButton', 'GracefulRestart'],
  resetTypesIn: 'action',
  repeatsEvents: false,
}

const SUPERMICRO: Vendor = {
  name: 'supermicro',
  vendor: 'Supermicro',
  systemId: '1',
  chassisId: '1',
  managerId: '1',
  slash: '',
  log: { of: 'system', id: 'Log1' },
  otherLogs: [{ of: 'manager', id: 'Log1' }],
  newestFirst: false,
  listsLinks: false,
  expands: false,
  hasSubsystems: false,
  fanUnits: 'RPM',
  sendsStream: false,
  etag: 'body',
  needsIfMatch: true,
  refusesFirstChange: false,
  locate: 'IndicatorLED',
  ledValues: ['Lit', 'Blinking', 'Off'],
  resetTypes: ['On', 'ForceOff', 'GracefulShutdown', 'GracefulRestart', 'ForceRestart', 'Nmi', 'ForceOn'],
  resetTypesIn: 'action-info',
  repeatsEvents: false,
}

export const VENDORS: readonly Vendor[] = [IDRAC, ILO, SUPERMICRO]

export const vendorCalled = (name: VendorName): Vendor => VENDORS.find((one) => one.name === name) ?? IDRAC
