import t from "tap";
import { clusterFingerprint } from "./fingerprint.js";
import { clusterStatement } from "./statement.js";

const FACTS = { signingKey: "ed25519:a", encryptionKey: "xwing:b", log: "log-1", clusterUid: "uid" };

t.test("a fingerprint is six groups of four hex digits, and the start of the statement's hash", (t) => {
  const fingerprint = clusterFingerprint(FACTS);
  t.match(fingerprint, /^[0-9a-f]{4}(-[0-9a-f]{4}){5}$/);
  t.ok(clusterStatement(FACTS).hash.startsWith(fingerprint.replaceAll("-", "")));
  t.end();
});

t.test("every fact is in it: another key, log or cluster has another fingerprint", (t) => {
  const all = Object.keys(FACTS).map((field) => clusterFingerprint({ ...FACTS, [field]: "other" }));
  t.equal(new Set([clusterFingerprint(FACTS), ...all]).size, 5);
  t.end();
});
