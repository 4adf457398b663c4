// zopp in two pods, each with an account of its own, for all namespaces.
import t from "tap";
import { playInstalled } from "./installed.js";
import { reachOf } from "./reach.js";

await playInstalled(t, {
  // the story asks a keyring for something while it drains, by programs that take a second each
  flags: "--set mode=deployment --set allNamespaces=true --set keyring.drainSeconds=10",
  accounts: ["zopp", "zopp-keyring"],
  apart: true,
  reach: reachOf({
    ledgers: "403",
    // it may read every Secret, and one of the seed's two shares is one
    otherNamespace: "200",
    seedSecret: "200",
  }),
});
