import t from "tap";
import { type AuditLine, compare, rightsOf, usedBy } from "./rights.js";

const OPERATOR = "system:serviceaccount:zopp-system:zopp";
const line = (verb: string, resource: string, more: Partial<AuditLine["objectRef"]> = {}, code = 200): AuditLine => ({
  stage: "ResponseComplete",
  verb,
  user: { username: OPERATOR },
  objectRef: { resource, namespace: "shop", ...more },
  responseStatus: { code },
});

t.test("a role's rules are rights in the namespace that binds them", async (t) => {
  const rules = [{ apiGroups: ["", "zopp.dev"], resources: ["a", "a/status"], verbs: ["get"] }];
  t.strictSame(rightsOf(rules, "shop"), [
    { verb: "get", resource: "/a", namespace: "shop" },
    { verb: "get", resource: "/a/status", namespace: "shop" },
    { verb: "get", resource: "zopp.dev/a", namespace: "shop" },
    { verb: "get", resource: "zopp.dev/a/status", namespace: "shop" },
  ]);
});

t.test("of the audit log only what the account itself asked for counts, each once", async (t) => {
  const log = [
    line("patch", "secrets"),
    line("patch", "secrets"),
    { ...line("get", "secrets"), user: { username: "admin" } },
    { ...line("list", "secrets"), stage: "RequestReceived" },
    line("get", "pods", {}, 403),
    line("patch", "zoppsecrets", { apiGroup: "zopp.dev", subresource: "status" }),
  ];
  t.strictSame(usedBy(OPERATOR, log), {
    allowed: [
      { verb: "patch", resource: "/secrets", namespace: "shop" },
      { verb: "patch", resource: "zopp.dev/zoppsecrets/status", namespace: "shop" },
    ],
    refused: [{ verb: "get", resource: "/pods", namespace: "shop" }],
  });
});

t.test("a right that nobody used and a use that nobody granted are both found", async (t) => {
  const granted = rightsOf([{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "patch"] }], "shop");
  const everywhere = rightsOf([{ apiGroups: [""], resources: ["events"], verbs: ["create"] }], "");
  const { allowed } = usedBy(OPERATOR, [
    line("patch", "secrets"),
    line("create", "events"),
    line("patch", "secrets", { namespace: "other" }),
  ]);
  t.strictSame(compare([...granted, ...everywhere], allowed), {
    unused: ["get /secrets in shop"],
    ungranted: ["patch /secrets in other"],
  });
});
