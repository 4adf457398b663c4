import fc from "fast-check";
import t from "tap";
import { acmeContent, NOW } from "../../hack/fixtures.js";
import type { Grant, WorkspaceSpec } from "../types.gen.js";
import { type Action, matchesKey, may, type RightsContext, scopeCovers } from "./rights.js";

const spec = { version: 1, signatures: [], ...acmeContent() } as WorkspaceSpec;
const context = (grants: readonly Grant[], now = NOW, changes: Partial<WorkspaceSpec> = {}): RightsContext => ({
  workspace: { ...spec, grants, ...changes },
  environment: "shop/production",
  now,
});

t.test("a grant gives exactly what its role allows", async (t) => {
  const table: Record<Grant["role"], Action[]> = {
    read: ["read"],
    submit: ["write"],
    write: ["read", "write", "header"],
    admin: ["read", "write", "header", "sign"],
    audit: ["audit"],
  };
  for (const [role, allowed] of Object.entries(table) as [Grant["role"], Action[]][]) {
    const given = context([{ subject: "bob", role, scope: "shop" }]);
    for (const action of ["read", "write", "header", "sign", "audit"] as const) {
      t.equal(may(given, "bob", action, "KEY"), allowed.includes(action), `${role}: ${action}`);
    }
  }
});

t.test("nothing found is denied", async (t) => {
  t.notOk(may(context([]), "bob", "read", "KEY"), "no grants");
  t.notOk(may(context([{ subject: "bob", role: "admin", scope: "*" }]), "mallory", "read", "KEY"), "unknown person");
  t.notOk(
    may(context([{ subject: "alice", role: "admin", scope: "*" }]), "bob", "read", "KEY"),
    "somebody else's grant",
  );
  t.notOk(
    may(context([{ subject: "bob", role: "admin", scope: "shop/dev" }]), "bob", "read", "KEY"),
    "another environment",
  );
  t.notOk(may(context([{ subject: "group:ops", role: "admin", scope: "*" }]), "bob", "read", "KEY"), "unknown group");
});

t.test("being an owner gives no role", async (t) => {
  t.notOk(may(context([]), "alice", "write", "KEY"));
});

t.test("a grant and a principal end at their very second", async (t) => {
  const expires = "2026-11-23T10:11:12Z";
  const before = new Date(NOW.getTime() - 1);
  const grant: Grant = { subject: "bob", role: "write", scope: "shop", expires };
  t.ok(may(context([grant], before), "bob", "write", "KEY"));
  t.notOk(may(context([grant], NOW), "bob", "write", "KEY"));
  const lasting: Grant = { subject: "bob", role: "write", scope: "shop" };
  const principals = spec.principals.map((principal) => ({ ...principal, expires }));
  t.ok(may(context([lasting], before, { principals }), "bob", "write", "KEY"));
  t.notOk(may(context([lasting], NOW, { principals }), "bob", "write", "KEY"));
});

t.test("key patterns limit a grant, and a limited grant signs no header and no environment", async (t) => {
  const given = context([{ subject: "ci", role: "admin", scope: "*", keys: ["IMAGE_*"] }]);
  t.ok(may(given, "ci", "write", "IMAGE_TAG"));
  t.notOk(may(given, "ci", "write", "DB_PASSWORD"));
  t.notOk(may(given, "ci", "header"));
  t.notOk(may(given, "ci", "sign"));
});

t.test("groups give their members what they are granted", async (t) => {
  const given = context([{ subject: "group:sre", role: "write", scope: "shop/production" }]);
  t.ok(may(given, "bob", "write", "KEY"));
  t.ok(may(given, "carol", "write", "KEY"));
  t.notOk(may(given, "ci", "write", "KEY"));
});

t.test("the environment's own grants add to the workspace's", async (t) => {
  const own: RightsContext = { ...context([]), grants: [{ subject: "bob", role: "read" }] };
  t.ok(may(own, "bob", "read", "KEY"));
  t.notOk(may(own, "bob", "write", "KEY"));
});

t.test("a scope covers itself, its project or everything", async (t) => {
  const covers = ["*", "shop", "shop/production"];
  const not = ["sho", "shop/prod", "shop/production/x", "production", "shop/*", undefined];
  for (const scope of covers) t.ok(scopeCovers(scope, "shop/production"), String(scope));
  for (const scope of not) t.notOk(scopeCovers(scope, "shop/production"), String(scope));
});

t.test("in a key pattern only * is special", async (t) => {
  const table: [string, string, boolean][] = [
    ["IMAGE_*", "IMAGE_", true],
    ["IMAGE_*", "IMAGE_TAG", true],
    ["IMAGE_*", "XIMAGE_TAG", false],
    ["*_URL", "DB_URL", true],
    ["*_URL", "_URLS", false],
    ["a*b*c", "abc", true],
    ["a*b*c", "ac", false],
    ["a*a", "a", false],
    ["A.B", "AxB", false],
    ["[A]", "A", false],
    ["*", "", true],
    ["**", "x", true],
  ];
  for (const [pattern, key, expected] of table) t.equal(matchesKey(pattern, key), expected, `${pattern} on ${key}`);
});

t.test("a key pattern means what the same regular expression means", async () => {
  const piece = fc.constantFrom("a", "b", "*", ".");
  const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, text, (pattern, key) => {
      const escaped = pattern.split("*").map((part) => part.replaceAll(".", "\\."));
      return matchesKey(pattern, key) === new RegExp(`^${escaped.join(".*")}$`, "s").test(key);
    }),
    { numRuns: 3000 },
  );
});
