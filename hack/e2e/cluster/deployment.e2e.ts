// zopp in two pods, each with an account of its own, for all namespaces.
import t from "tap";
import { playInstalled } from "./installed.js";
import { reachOf } from "./reach.js";

t.setTimeout(1_200_000);
await playInstalled(t, {
  flags: "--set mode=deployment --set allNamespaces=true",
  accounts: ["zopp", "zopp-keyring"],
  apart: true,
  reach: reachOf({
    ledgers: "403",
    // it may read every Secret, and one of the seed's two shares is one
    otherNamespace: "200",
    seedSecret: "200",
  }),
});
