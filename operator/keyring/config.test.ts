// The keyring's command line: what it refuses before it opens any file, and what it explains.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { Child } from "../../hack/child.js";
import { command, type ServeConfig } from "./config.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
const SERVE = ["serve", "--operator-account", "zopp-system/zopp", "--pod-uid", "u"];
const PIN = `acme@1:${"a".repeat(64)}`;

const USAGE: Record<string, readonly string[]> = {
  "no seed": [...SERVE, "--trust", PIN],
  "no pin": [...SERVE, "--seed", "x"],
  "a pin and first use": [...SERVE, "--seed", "x", "--trust", PIN, "--first-use"],
  "a pin that is none": [...SERVE, "--seed", "x", "--trust", "acme"],
  "no pod": ["serve", "--seed", "x", "--operator-account", "a/b", "--trust", PIN],
  "an empty pod": ["serve", "--seed", "x", "--operator-account", "a/b", "--trust", PIN, "--pod-uid", ""],
  "a pod and a remote operator": [...SERVE, "--seed", "x", "--trust", PIN, "--operator", "remote"],
  "an operator elsewhere": ["serve", "--seed", "x", "--operator-account", "a/b", "--trust", PIN, "--operator", "any"],
  "an address that is none": [...SERVE, "--seed", "x", "--trust", PIN, "--listen", "8443"],
  "a port that is none": [...SERVE, "--seed", "x", "--trust", PIN, "--listen", ":70000"],
  "a time to drain that is none": [...SERVE, "--seed", "x", "--trust", PIN, "--drain-seconds", "5s"],
  "an unknown command": ["sing"],
};

for (const [what, args] of Object.entries(USAGE)) {
  t.test(`serve with ${what} is a usage error`, async (t) => {
    const child = new Child({ name: "keyring", main: MAIN, args });
    t.equal(await child.stopped(), 2);
    t.match(child.lines.join("\n"), /--help/);
  });
}

for (const [value, expected] of Object.entries({ false: 2, "0": 2, "": 2, maybe: 2, true: 4, "1": 4 })) {
  t.test(`the variable of first use that says ${JSON.stringify(value)} means what it says`, async (t) => {
    const args = [...SERVE, "--seed", join(t.testdir(), "none")];
    const env = { ZOPP_KEYRING_FIRST_USE: value };
    t.equal(
      await new Child({ name: "keyring", main: MAIN, args, env }).stopped(),
      expected,
      "4: only the seed is missing",
    );
  });
}

const ADDRESSES: Record<string, object> = {
  ":8443": { port: 8443 },
  "0.0.0.0:8443": { host: "0.0.0.0", port: 8443 },
  "[::1]:8443": { host: "::1", port: 8443 },
  "localhost:0": { host: "localhost", port: 0 },
};

for (const [text, expected] of Object.entries(ADDRESSES)) {
  t.test(`${text} is where it listens; health and metrics on all addresses unless said otherwise`, async (t) => {
    const unused = async () => void t.fail("not asked for");
    const serve = async (config: ServeConfig) => {
      t.strictSame(config.listen, expected);
      t.strictSame([config.metrics, config.health], [{ port: 8082 }, { port: 8083 }]);
    };
    const args = [...SERVE, "--seed", "x", "--trust", PIN, "--listen", text];
    await command({ serve, keygen: unused, install: unused }).parseAsync(args, { from: "user" });
    t.plan(2);
  });
}

t.test("help teaches", async (t) => {
  const child = new Child({ name: "keyring", main: MAIN, args: ["--help"] });
  t.equal(await child.stopped(), 0);
  t.match(child.lines.join("\n"), /keygen[\s\S]*serve[\s\S]*Examples/);
});
