// When each alert of the chart fires, and how near it may come without: series as Prometheus would have scraped them.
// Running them is alerts.test.ts'. `0+1x20` is twenty minutes in which a count grows by one a minute; `_` is no sample.

/** What Prometheus has of the namespace, and what it makes of it. */
export interface AlertCase {
  /** Series by their samples, one a minute. */
  readonly series: Readonly<Record<string, string>>;
  /** When one looks, from the first sample on. */
  readonly at: string;
}

/** An alert's cases. */
export interface AlertCases {
  readonly fires: AlertCase & {
    /** The labels of each alert that fires, beside its name and severity. */
    readonly as: readonly Readonly<Record<string, string>>[];
  };
  /** The same signal, not bad enough, or somebody else's. */
  readonly silent: Readonly<Record<string, AlertCase>>;
}

const HERE = 'namespace="zopp-system"';
const ELSEWHERE = 'namespace="other"';
const build = (component: string, where = HERE) => `zopp_build_info{component="${component}",${where},pod="a"}`;
const LEASE = "zopp-system/zopp-operator";
const leads = (pod: string, lease = LEASE) => `leader_election_master_status{name="${lease}",${HERE},pod="${pod}"}`;
const opens = (result: string, where = HERE) => `zopp_open_total{result="${result}",${where}}`;
const ends = (reason: string) => `zopp_entries_expiring{reason="${reason}",${HERE}}`;
const failed = (controller: string) => `controller_runtime_reconcile_errors_total{controller="${controller}",${HERE}}`;
const waits = `zopp_oldest_pending_seconds{name="zoppsecret",${HERE}}`;
const works = `workqueue_longest_running_processor_seconds{name="zoppsecret",${HERE}}`;
const errors = (code: string) => `zopp_keyring_errors_total{code="${code}",${HERE}}`;
const watches = `zopp_informer_failures_total{resource="zoppsecrets",phase="watch",status="403",${HERE}}`;
const bundles = (reason: string) => `zopp_bundles{reason="${reason}",${HERE}}`;
const policies = (reason: string) => `zopp_policies{kind="ZoppEnvironment",reason="${reason}",${HERE},pod="a"}`;
const history = (result: string) => `zopp_history_total{result="${result}",${HERE}}`;
const rotating = (reason: string) => `zopp_rotations_waiting{reason="${reason}",${HERE}}`;
const refusedRestarts = (where = HERE) => `zopp_restarts_refused{${where}}`;
const certificates = (reason: string) => `zopp_certificates_waiting{reason="${reason}",${HERE}}`;

const absent = (component: string): AlertCases => ({
  fires: {
    series: { [build(component, ELSEWHERE)]: "1x20" },
    at: "6m",
    as: [{ component, namespace: "zopp-system" }],
  },
  silent: {
    "it is there": { series: { [build(component)]: "1x20" }, at: "20m" },
    "it was away for three minutes": { series: { [build(component)]: "_x3 1x20" }, at: "8m" },
  },
});

/** By the name of the alert. */
export const ALERTS: Readonly<Record<string, AlertCases>> = {
  ZoppOperatorAbsent: absent("operator"),
  ZoppKeyringAbsent: absent("keyring"),
  ZoppNobodyLeads: {
    fires: {
      series: { [leads("a")]: "0x10", [leads("b")]: "0x10", [leads("a", `${LEASE}-1`)]: "1x10" },
      at: "3m",
      as: [{ name: LEASE }],
    },
    silent: {
      "one of two leads": { series: { [leads("a")]: "0x10", [leads("b")]: "1x10" }, at: "10m" },
      "there is no election": { series: { [build("operator")]: "1x10" }, at: "10m" },
      "an election of another program": { series: { [leads("a", "other/lease")]: "0x10" }, at: "10m" },
    },
  },
  ZoppOpensFail: {
    fires: { series: { [opens("SignatureInvalid")]: "0+1x40" }, at: "30m", as: [{ result: "SignatureInvalid" }] },
    silent: {
      "bundles wait for approval": { series: { [opens("PendingApproval")]: "0+1x40" }, at: "30m" },
      "opens succeed": { series: { [opens("ok")]: "0+100x40" }, at: "30m" },
      "one failed long ago": { series: { [opens("SignatureInvalid")]: "1x40" }, at: "30m" },
      "another zopp's": { series: { [opens("SignatureInvalid", ELSEWHERE)]: "0+1x40" }, at: "30m" },
    },
  },
  ZoppValuesEnd: {
    fires: {
      series: { [ends("Expired")]: "2x20", [ends("ExpiresWithinADay")]: "0x20" },
      at: "6m",
      as: [{ reason: "Expired" }],
    },
    silent: {
      "they end in a week": { series: { [ends("ExpiresSoon")]: "5x20", [ends("Expired")]: "0x20" }, at: "20m" },
    },
  },
  ZoppReconcilesFail: {
    fires: {
      series: { [failed("zoppsecret")]: "0+1x40", [failed("history")]: "0+1x40" },
      at: "30m",
      as: [{ controller: "history" }, { controller: "zoppsecret" }],
    },
    silent: {
      "they failed once": { series: { [failed("zoppsecret")]: "7x40" }, at: "30m" },
      "another program's": { series: { [failed("deployment")]: "0+1x40" }, at: "30m" },
    },
  },
  ZoppChangesWait: {
    fires: { series: { [waits]: "301x20" }, at: "6m", as: [{ name: "zoppsecret" }] },
    silent: { "for four minutes": { series: { [waits]: "240x20" }, at: "20m" } },
  },
  ZoppWorkStuck: {
    // liveness ends the operator after two minutes, and the next one begins with 0
    fires: { series: { [works]: "0 20 80 0x20" }, at: "2m", as: [{ name: "zoppsecret" }] },
    silent: { "for a minute": { series: { [works]: "60x20" }, at: "20m" } },
  },
  ZoppKeyringFails: {
    // one bundle is tried again every five or six minutes
    fires: {
      series: { [errors("AuditUnavailable")]: "0 1x4 2x5 3x5 4x5 5x5 6x5" },
      at: "20m",
      as: [{ code: "AuditUnavailable" }],
    },
    silent: {
      "a caller asks too much": { series: { [errors("Overloaded")]: "0+1x40" }, at: "30m" },
      "what it refuses is no failure of its own": { series: { [errors("MethodDenied")]: "0+1x40" }, at: "20m" },
      "it is over": { series: { [errors("AuditUnavailable")]: "0+1x3 3x40" }, at: "11m" },
      "it is long over": { series: { [errors("AuditUnavailable")]: "0+1x5 5x40" }, at: "40m" },
    },
  },
  ZoppKeyringOverloaded: {
    fires: { series: { [errors("Overloaded")]: "0+1x40" }, at: "30m", as: [{}] },
    silent: { "it is over": { series: { [errors("Overloaded")]: "0+1x3 3x40" }, at: "11m" } },
  },
  ZoppEnrolmentRefused: {
    fires: { series: { [errors("Unauthenticated")]: "0+1x40" }, at: "20m", as: [{}] },
    silent: { "ten of them": { series: { [errors("Unauthenticated")]: "0+1x10 10x10" }, at: "15m" } },
  },
  ZoppWatchesFail: {
    // one namespace that cannot be followed is tried about twice a minute
    fires: { series: { [watches]: "0+2x60" }, at: "40m", as: [{ resource: "zoppsecrets" }] },
    silent: {
      "now and then": { series: { [watches]: "0+1x60" }, at: "60m" },
      "the API server was away for two minutes": { series: { [watches]: "0+30x2 60x60" }, at: "16m" },
    },
  },
  ZoppPolicyRefused: {
    fires: {
      series: { [policies("LedgerLost")]: "1x40", [policies("Accepted")]: "3x40" },
      at: "20m",
      as: [{ kind: "ZoppEnvironment", reason: "LedgerLost" }],
    },
    silent: {
      "it is for other clusters, or waits for an owner": {
        series: { [policies("NotServedHere")]: "1x40", [policies("PartlySigned")]: "1x40" },
        at: "40m",
      },
      "it was mended": { series: { [policies("LedgerLost")]: "1x10 _x40", [policies("Accepted")]: "3x50" }, at: "40m" },
    },
  },
  ZoppBundlesNotReady: {
    fires: {
      series: { [bundles("SignatureInvalid")]: "1x40", [bundles("Synced")]: "100x40" },
      at: "20m",
      as: [{ reason: "SignatureInvalid" }],
    },
    silent: {
      "they wait for approval": {
        series: { [bundles("PendingApproval")]: "3x40", [bundles("Synced")]: "100x40" },
        at: "40m",
      },
      "it was mended": { series: { [bundles("SignatureInvalid")]: "1x10 0x40" }, at: "40m" },
    },
  },
  ZoppHistoryFails: {
    fires: { series: { [history("failed")]: "0+1x40" }, at: "30m", as: [{}] },
    silent: {
      "states are kept": { series: { [history("kept")]: "0+1x40" }, at: "30m" },
      "it is over": { series: { [history("failed")]: "0+3x2 6x60" }, at: "16m" },
    },
  },
  ZoppRestartsRefused: {
    // hours after the change: its pods still have the old value
    fires: { series: { [refusedRestarts()]: "0x10 1x300" }, at: "300m", as: [{}] },
    silent: {
      "they were done": { series: { [refusedRestarts()]: "0x10 2x10 0x30" }, at: "30m" },
      "once, and then they were not": { series: { [refusedRestarts()]: "0x10 1x3 0x30" }, at: "14m" },
      "another one's": { series: { [refusedRestarts(ELSEWHERE)]: "1x40" }, at: "30m" },
    },
  },
  ZoppCertificatesWait: {
    fires: {
      series: { [certificates("IssuerRefused")]: "0x5 2x40", [certificates("IssuerPending")]: "0x45" },
      at: "30m",
      as: [{ reason: "IssuerRefused" }],
    },
    silent: { "a CA is made anew": { series: { [certificates("IssuerPending")]: "0x5 3x5 0x30" }, at: "12m" } },
  },
  ZoppRotationsWait: {
    // a Job that has failed goes after ten minutes and is made again: it fails and runs by turns
    fires: {
      series: {
        [rotating("RotationFailed")]: "0x9 1x9 0x9 1x9 0x19",
        [rotating("RotationPending")]: "0x19 1x9 0x9 1x19",
      },
      at: "45m",
      as: [{}],
    },
    silent: {
      "jobs run, and have not failed": {
        series: { [rotating("RotationPending")]: "1x60", [rotating("RotationFailed")]: "0x60" },
        at: "60m",
      },
      "it failed, and then succeeded": {
        series: { [rotating("RotationFailed")]: "1x20 0x40", [rotating("RotationPending")]: "0x60" },
        at: "40m",
      },
      "it has failed just now": { series: { [rotating("RotationFailed")]: "0x10 1x20" }, at: "20m" },
    },
  },
};
