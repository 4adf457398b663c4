// A bundle whose values a job rotates, for the tests of what is decided about it.
import { ruleHash } from "../../crds/bundle/generated.js";
import type { GeneratedEntry, GenerateRule, ZoppSecret } from "../../crds/types.gen.js";

export const USER_RULE: GenerateRule = { version: 1, kind: "password", length: 14, previous: "USER_OLD" };
const PASSWORD_RULE: GenerateRule = { version: 1, kind: "password", length: 32, previous: "PASSWORD_OLD" };
const ENTRY = { version: 1, by: "zk1", sealed: "", signature: "", to: "zk1e" };
export const IMAGE = `registry.example/rotate@sha256:${"a".repeat(64)}`;

/** A bundle with two rules and a rotation. */
export function bundle(rotation: ZoppSecret["spec"]["rotation"] = { image: IMAGE, keys: ["ADMIN"] }): ZoppSecret {
  return {
    apiVersion: "zopp.dev/v1alpha1",
    kind: "ZoppSecret",
    metadata: { name: "db", namespace: "shop", uid: "bundle-uid", generation: 1 },
    spec: {
      environment: "acme/shop/prod",
      header: { version: 1, by: "zk1", signature: "" },
      data: { ADMIN: ENTRY, HOST: ENTRY, GONE: { version: 2, by: "zk1", signature: "", retired: true } },
      generate: { USER: USER_RULE, PASSWORD: PASSWORD_RULE },
      rotation,
    },
  };
}

function value(rule: GenerateRule, signature: string, before?: string): GeneratedEntry {
  const made = {
    ...ENTRY,
    version: before === undefined ? 1 : 2,
    made: "2026-11-23T10:11:12Z",
    rule: ruleHash(rule),
    signature,
  };
  return before === undefined ? made : { ...made, before, previous: { ...made, version: 1, signature: before } };
}

/** Both values, and those that rotated. */
export const FIRST = { USER: value(USER_RULE, "u1"), PASSWORD: value(PASSWORD_RULE, "p1") };
export const SECOND = { USER: value(USER_RULE, "u2", "u1"), PASSWORD: value(PASSWORD_RULE, "p2", "p1") };
