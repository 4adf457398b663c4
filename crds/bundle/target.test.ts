// Which Secret a bundle becomes, and which keys its type demands, told by names alone.
import t from "tap";
import { unsigned } from "../../hack/fixtures.bundle.js";
import type { ZoppSecret } from "../types.gen.js";
import { jobKeys, keysMissing, targetKeys, targetName, targetType, valueKeys } from "./target.js";

const ENTRY = { version: 1, by: "zk1", signature: "", sealed: "" };
const RETIRED = { version: 1, by: "zk1", signature: "", retired: true };

function typed(type: string, data: object, render: object = {}): ZoppSecret {
  return unsigned({ target: { type }, data, render });
}

t.test("name and type have defaults, retired keys are left out", async (t) => {
  const bare = unsigned({ data: { B: ENTRY, A: RETIRED }, render: { AB: "" } });
  t.equal(targetName(bare), "api");
  t.equal(targetType(bare), "Opaque");
  t.strictSame(targetKeys(bare), ["AB", "B"]);
  const named = unsigned({ target: { name: "other", type: "example.com/thing" } });
  t.equal(targetName(named), "other");
  t.equal(targetType(named), "example.com/thing");
  t.strictSame(targetKeys(named), []);
});

t.test("a key for the rotation's job alone is a value of the job's, and not of the Secret", async (t) => {
  const rotated = unsigned({
    target: { type: "kubernetes.io/basic-auth" },
    data: { ADMIN_URL: ENTRY, HOST: ENTRY, OLD: RETIRED },
    render: { DSN: "" },
    generate: { password: { version: 1, kind: "uuid", previous: "old" } },
    rotation: { image: "rotate", keys: ["ADMIN_URL", "OLD", "LATER"] },
  });
  t.strictSame(jobKeys(rotated).sort(), ["ADMIN_URL", "HOST", "old", "password"]);
  t.strictSame(valueKeys(rotated).sort(), ["HOST", "old", "password"]);
  t.strictSame(targetKeys(rotated), ["DSN", "HOST", "old", "password"]);
});

const COMPLETE: Readonly<Record<string, ZoppSecret>> = {
  "no type demands nothing": unsigned({}),
  "Opaque demands nothing": typed("Opaque", {}),
  "a type of one's own demands nothing": typed("example.com/thing", {}),
  "a type with the name of an object's method demands nothing": typed("toString", {}),
  "tls with both its keys, and one more": typed("kubernetes.io/tls", {
    "tls.crt": ENTRY,
    "tls.key": ENTRY,
    "ca.crt": ENTRY,
  }),
  "a rendered key counts": typed("kubernetes.io/tls", { A: ENTRY, "tls.crt": ENTRY }, { "tls.key": "[[ A ]]" }),
  "credentials made by a template": typed("kubernetes.io/dockerconfigjson", {}, { ".dockerconfigjson": "{}" }),
  "dockercfg with its key": typed("kubernetes.io/dockercfg", { ".dockercfg": ENTRY }),
  "ssh-auth with its key": typed("kubernetes.io/ssh-auth", { "ssh-privatekey": ENTRY }),
  "basic-auth with a name alone": typed("kubernetes.io/basic-auth", { username: ENTRY }),
  "basic-auth with a password alone": typed("kubernetes.io/basic-auth", { password: ENTRY, username: RETIRED }),
};
for (const [title, secret] of Object.entries(COMPLETE)) {
  t.test(title, async (t) => {
    t.same(keysMissing(secret), []);
  });
}

const INCOMPLETE: readonly (readonly [title: string, secret: ZoppSecret, says: string, paths: readonly string[]])[] = [
  ["tls without a key", typed("kubernetes.io/tls", { "tls.crt": ENTRY }), "the key tls.key", ["spec.data.tls.key"]],
  [
    "tls whose key is retired",
    typed("kubernetes.io/tls", { "tls.crt": ENTRY, "tls.key": RETIRED }),
    "the key tls.key",
    ["spec.data.tls.key"],
  ],
  [
    "ssh-auth whose key only the rotation's job gets",
    unsigned({
      target: { type: "kubernetes.io/ssh-auth" },
      data: { "ssh-privatekey": ENTRY },
      rotation: { image: "rotate", keys: ["ssh-privatekey"] },
    }),
    "the key ssh-privatekey",
    ["spec.data.ssh-privatekey"],
  ],
  [
    "tls with neither",
    typed("kubernetes.io/tls", { cert: ENTRY }),
    "the key tls.crt and tls.key",
    ["spec.data.tls.crt", "spec.data.tls.key"],
  ],
  [
    "dockerconfigjson without its dot",
    typed("kubernetes.io/dockerconfigjson", { dockerconfigjson: ENTRY }),
    "the key .dockerconfigjson",
    ["spec.data..dockerconfigjson"],
  ],
  ["dockercfg", typed("kubernetes.io/dockercfg", {}), "the key .dockercfg", ["spec.data..dockercfg"]],
  ["ssh-auth", typed("kubernetes.io/ssh-auth", {}), "the key ssh-privatekey", ["spec.data.ssh-privatekey"]],
  [
    "basic-auth with neither",
    typed("kubernetes.io/basic-auth", { user: ENTRY }),
    "the key username or password",
    ["spec.data.username"],
  ],
];
for (const [title, secret, says, paths] of INCOMPLETE) {
  t.test(`${title} is refused, naming the bundle, the type and the key`, async (t) => {
    const [error] = keysMissing(secret);
    t.equal(error?.code, "TargetShape");
    t.equal(error?.message, `bundle shop/api: spec.target.type ${targetType(secret)} needs ${says}`);
    t.same(
      error?.fields.map(({ path }) => path),
      paths,
    );
  });
}
