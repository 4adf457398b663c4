// What running processes log, held against the reference: every field of every line is explained there.
import t from "tap";
import { referencePages } from "../docs/reference.js";
import { eventually } from "../eventually.js";
import { flip, withEntry } from "../fixtures.bundle.js";
import { startProxiedTestbed } from "../testbed.proxied.js";

const { bed, proxy } = await startProxiedTestbed(t, {
  apart: true,
  env: { ZOPP_OPERATOR_LOG_LEVEL: "debug", ZOPP_KEYRING_LOG_LEVEL: "debug" },
});

/** The fields of each part of the page, by its heading. */
async function documented(heading: string): Promise<ReadonlySet<string>> {
  const page = (await referencePages()).get("docs/reference/log.md") ?? "";
  const section = page.split("\n## ").find((text) => text.startsWith(`${heading}\n`)) ?? "";
  return new Set([...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name));
}

type Line = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Line => typeof value === "object" && value !== null;

/** The fields of an error and of all that it came from. */
function ofError(error: unknown): readonly string[] {
  return isObject(error) ? [...Object.keys(error), ...ofError(error["cause"])] : [];
}

/** Waits for a line of a process that says this. */
const saying = (child: { readonly lines: readonly string[] }, text: string) =>
  eventually(() => child.lines.some((line) => line.includes(text)), {
    timeoutMs: 60_000,
    message: `a line says ${text}`,
  });

t.test("every field that operator and keyring log is in the reference", async (t) => {
  const first = bed.operator;
  await first.stop();
  await bed.startOperator(["--leader-elect", "zopp-system/zopp-operator"]);
  await bed.applyBundle(bed.seal({ A: "a" }));
  await bed.settled("Synced");
  const good = bed.seal({ A: "a" }, { name: "bad" });
  await bed.applyBundle(withEntry(good, "A", { signature: flip(good.spec.data?.["A"]?.signature ?? "") }));
  await bed.settled("SignatureInvalid", "bad");
  const refused = { kind: "refuse", status: 500, reason: "InternalError" } as const;
  proxy.fault(({ method, path, query }) =>
    query.get("watch") === "true" ||
    (method === "POST" && path.includes("/zoppauditsegments")) ||
    path.includes("/secrets/")
      ? refused
      : undefined,
  );
  await bed.applyBundle(bed.seal({ A: "b" }, { name: "late" }));
  await saying(bed.operator, "failed; again later");
  await saying(bed.keyring, "cannot store an audit segment");
  proxy.breakWatches();
  await saying(bed.operator, "cannot follow");
  proxy.lift();
  const keyring = bed.keyring;
  await keyring.stop();
  await saying(bed.operator, "the keyring does not answer");
  const operator = bed.operator;
  await operator.stop();
  const [always, fields, error, exported] = await Promise.all(
    ["In every line", "Where it applies", "In `err`", "Lines of the audit log"].map(documented),
  );
  const lines = [first, operator, keyring].flatMap((child) => child.lines.map((line) => JSON.parse(line) as Line));
  const logged = lines.filter((line) => "level" in line);
  t.ok(logged.length > 30, "much was logged");
  for (const line of logged) t.hasOwnProps(line, [...(always ?? [])], JSON.stringify(line));
  const names = new Set(logged.flatMap((line) => Object.keys(line)));
  t.strictSame(
    [...names].filter((name) => !always?.has(name) && !fields?.has(name)),
    [],
    "every field is explained",
  );
  const inErrors = new Set(logged.flatMap(({ err }) => ofError(err)));
  t.ok(inErrors.size >= 4);
  t.strictSame(
    [...inErrors].filter((name) => !error?.has(name)),
    [],
    "every field of an error is explained",
  );
  const others = new Set(lines.filter((line) => !("level" in line)).flatMap((line) => Object.keys(line)));
  t.strictSame([...others].toSorted(), [...(exported ?? [])].toSorted(), "and the keyring's lines without a level");
  for (const name of ["controller", "failures", "fingerprint", "lease", "segment", "signal", "waitMs"])
    t.ok(names.has(name), `${name} was seen`);
});
