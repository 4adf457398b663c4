import { spawnSync } from "node:child_process";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { parse } from "yaml";
import { generate, outdated } from "./gen.js";
import { readKinds, type Schema } from "./gen.kinds.js";
import { generateProto } from "./gen.proto.js";
import { renderTypes } from "./gen.types.js";
import { packageRoot } from "./package-root.js";

const MANIFESTS = join(packageRoot(), "crds", "manifests");

t.test(
  "the generated files are those of the manifests, of the .proto files and of the code that the reference tells of",
  async (t) => {
    t.strictSame(
      [...(await outdated()).keys()],
      [],
      "run `make gen` after a change of crds/manifests, crds/proto, hack/vectors.*.ts, or of commands, settings, metrics and errors",
    );
    const sources = globSync("**/*.proto", { cwd: join(packageRoot(), "crds", "proto") });
    const paths = sources.map((path) => `crds/proto/gen/${path.replace(/\.proto$/, "_pb.ts")}`);
    const generated = [...(await generate()).keys()].filter((path) => path.startsWith("crds/proto/"));
    t.strictSame(generated.toSorted(), paths.toSorted(), "one file for each .proto file");
  },
);

t.test("a generated file whose .proto file is gone is to be removed", async (t) => {
  const folder = t.testdir({ crds: { proto: { gen: { "gone_pb.ts": "", "kept.txt": "" } } } });
  const removed = [...generateProto(folder)].filter(([, text]) => text === undefined);
  t.strictSame(removed, [["crds/proto/gen/gone_pb.ts", undefined]]);
});

t.test("the command says whether they are in step", async (t) => {
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, "gen.js"), "--check"]);
  t.strictSame({ status, stdout: stdout.toString() }, { status: 0, stdout: "" });
});

t.test("a field without a description stops the rendering", async (t) => {
  const [workspace] = await readKinds();
  const schema = {
    type: "object",
    description: "x",
    properties: { spec: { type: "object", properties: { a: { type: "string" } } } },
  };
  t.throws(() => renderTypes([{ kind: "Thing", namespaced: true, schema }]), {
    message: "Thing.spec.a has no description",
  });
  t.match(
    renderTypes(workspace === undefined ? [] : [workspace]),
    /\/\*\* A person, a service or a workload\. \*\/\nexport interface Principal/,
  );
});

interface FullSchema extends Schema {
  readonly properties?: Readonly<Record<string, FullSchema>>;
  readonly additionalProperties?: FullSchema;
  readonly items?: FullSchema;
  readonly [keyword: string]: unknown;
}

/** Every schema under spec and status, by its path. */
function schemasOf(schema: FullSchema, path: string): [string, FullSchema][] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    schemasOf(member, `${path}.${name}`),
  );
  const map = schema.additionalProperties === undefined ? [] : schemasOf(schema.additionalProperties, `${path}{}`);
  const items = schema.items === undefined ? [] : schemasOf(schema.items, `${path}[]`);
  return [[path, schema], ...members, ...map, ...items];
}

/** What the schema of a field lacks, of what every field must have. */
function lacks(path: string, schema: FullSchema): string[] {
  const isMember = /\.\w+$/.test(path);
  const needed: Record<string, readonly string[]> = {
    string: schema.enum === undefined ? ["maxLength"] : [],
    integer: ["minimum", "maximum", "format"],
    array: ["maxItems", "x-kubernetes-list-type"],
    object: schema.additionalProperties === undefined ? [] : ["maxProperties"],
  };
  const names = [...(needed[schema.type ?? ""] ?? []), ...(isMember ? ["description"] : [])];
  const forbidden = ["default", "nullable", "x-kubernetes-preserve-unknown-fields"].filter(
    (keyword) => keyword in schema,
  );
  return [...names.filter((keyword) => !(keyword in schema)), ...forbidden].map((keyword) => `${path}: ${keyword}`);
}

const versions = readdirSync(MANIFESTS, { encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => {
    const crd = parse(readFileSync(join(MANIFESTS, file), "utf8"));
    const { spec, status } = crd.spec.versions[0].schema.openAPIV3Schema.properties as Record<string, FullSchema>;
    const kind: string = crd.spec.names.kind;
    const signed = spec === undefined ? [] : schemasOf(spec, `${kind}.spec`);
    return {
      kind,
      crd,
      signed,
      all: [...signed, ...(status === undefined ? [] : schemasOf(status, `${kind}.status`))],
    };
  });

t.test("every field has a description and limits, and none has a default", async (t) => {
  const wanting = versions.flatMap(({ all }) => all.flatMap(([path, schema]) => lacks(path, schema)));
  t.strictSame(wanting, []);
  t.ok(versions.flatMap(({ all }) => all).length > 150);
});

t.test("lists of what is signed are atomic, and so are its objects outside lists", async (t) => {
  const signed = versions.filter(({ kind }) => ["ZoppWorkspace", "ZoppEnvironment", "ZoppSecret"].includes(kind));
  const lists = signed.flatMap(({ signed }) => signed.filter(([, { type }]) => type === "array"));
  t.strictSame(
    lists.filter(([, schema]) => schema["x-kubernetes-list-type"] !== "atomic").map(([path]) => path),
    [],
  );
  const atomic = signed.flatMap(({ signed }) =>
    signed.filter(([, schema]) => schema["x-kubernetes-map-type"] === "atomic"),
  );
  t.strictSame(atomic.map(([path]) => path).sort(), [
    "ZoppSecret.spec.data{}",
    "ZoppSecret.spec.generate",
    "ZoppSecret.spec.generate{}",
    "ZoppSecret.spec.generate{}.certificate",
    "ZoppSecret.spec.header",
    "ZoppSecret.spec.render",
    "ZoppSecret.spec.rotation",
    "ZoppSecret.spec.target",
    "ZoppWorkspace.spec.owners",
  ]);
});

t.test("one kind of thing has one form, wherever it stands", async (t) => {
  const same = [
    "by",
    "signingKey",
    "encryptionKey",
    "expires",
    "subject",
    "role",
    "log",
    "signature",
    "lastTransitionTime",
  ];
  for (const name of same) {
    const found = versions.flatMap(({ kind, signed, all }) => {
      const fields = name === "lastTransitionTime" ? all : signed;
      return fields.filter(([path]) => path.endsWith(`.${name}`)).map(([path, schema]) => ({ path, kind, schema }));
    });
    const forms = new Set(found.map(({ schema: { description: _, ...form } }) => JSON.stringify(form)));
    t.equal(forms.size, 1, `${name} at ${found.map(({ path }) => path).join(", ")}`);
  }
});

t.test("names, scopes, columns and status are those that the documents promise", async (t) => {
  const facts = versions.map(({ crd }) => {
    const { names, scope, versions } = crd.spec;
    const columns = versions[0].additionalPrinterColumns.map((column: { name: string; priority?: number }) =>
      column.priority === 1 ? `${column.name} (wide)` : column.name,
    );
    const status = versions[0].subresources === undefined ? "" : "status";
    return [names.kind, names.shortNames?.join() ?? "", scope, names.categories.join(), status, columns.join(" ")];
  });
  t.strictSame(facts.sort(), [
    ["ZoppAuditSegment", "", "Namespaced", "zopp", "", "Log First Count Age"],
    ["ZoppBaseline", "", "Cluster", "zopp", "status", "Ready Reason Version Age Digest (wide)"],
    ["ZoppEnvironment", "zenv", "Cluster", "zopp", "status", "Ready Reason Access Version Age Digest (wide)"],
    ["ZoppLedger", "", "Namespaced", "zopp", "", "Log Kind Through Age"],
    [
      "ZoppSecret",
      "zs",
      "Namespaced",
      "zopp",
      "status",
      "Ready Reason Environment Keys Target Age Digest (wide) Expires (wide)",
    ],
    ["ZoppWorkspace", "zws", "Cluster", "zopp", "status", "Ready Reason Version Age Digest (wide)"],
  ]);
});
