// zopp in one pod: operator and keyring share an account, for namespaces that are listed.
import t from "tap";
import { playInstalled } from "./installed.js";
import { reachOf } from "./reach.js";

await playInstalled(t, {
  flags: "--set mode=sidecar --set 'namespaces={shop-prod}'",
  accounts: ["zopp"],
  apart: false,
  reach: reachOf({
    // one account for both: SECURITY.md says so
    ledgers: "200",
    otherNamespace: "403",
    seedSecret: "403",
  }),
});
