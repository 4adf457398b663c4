import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { readConfig } from "./config.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

class Left extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`left with ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** Reads with these variables, and nothing printed. */
function read(argv: readonly string[], variables: Record<string, string> = {}) {
  const write = process.stderr.write;
  Object.assign(process.env, variables);
  process.stderr.write = () => true;
  try {
    return readConfig(argv, (code) => {
      throw new Left(code);
    });
  } finally {
    process.stderr.write = write;
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

t.test("defaults are those of a pod", async (t) => {
  t.match(read(["--keyring-key", "k"]), {
    keyring: "127.0.0.1:8443",
    keyringKey: "k",
    metricsPort: 8080,
    healthPort: 8081,
    workers: 64,
    expiryWarning: 14 * 24 * 3600_000,
    history: 3,
    keyringElects: "off",
    rotationJobs: "off",
    logLevel: "info",
  });
  t.equal(read(["--keyring-key", "k"]).namespaces, undefined, "all namespaces");
  t.equal(read(["--keyring-key", "k"]).leaderElect, undefined, "the only one");
});

t.test("flags and variables say the same, and flags win", async (t) => {
  const variables = { ZOPP_OPERATOR_KEYRING_KEY: "v", ZOPP_OPERATOR_WORKERS: "8", ZOPP_OPERATOR_NAMESPACES: "a,b, a" };
  t.match(read([], variables), { keyringKey: "v", workers: 8, namespaces: ["a", "b"] });
  t.match(read(["--workers", "9", "--namespaces", "*"], variables), { workers: 9, namespaces: undefined });
  t.equal(read(["--keyring-key", "k", "--keyring", "[::1]:1"]).keyring, "[::1]:1");
  t.equal(read(["--keyring-key", "k", "--expiry-warning", "12h"]).expiryWarning, 12 * 3600_000);
  const place = { namespace: "zopp-system", name: "zopp-operator" };
  t.strictSame(read(["--keyring-key", "k", "--leader-elect", "zopp-system/zopp-operator"]).leaderElect, place);
});

const REFUSED: Record<string, { argv: readonly string[]; variables?: Record<string, string> }> = {
  "no pinned keyring": { argv: [] },
  "an unknown flag": { argv: ["--keyring-key", "k", "--nope"] },
  "a stray argument": { argv: ["--keyring-key", "k", "stray"] },
  "a port that is none": { argv: ["--keyring-key", "k", "--metrics-port", "65536"] },
  "an address without a port": { argv: ["--keyring-key", "k", "--keyring", "localhost"] },
  "a warning time without a unit": { argv: ["--keyring-key", "k", "--expiry-warning", "14"] },
  "a history without end": { argv: ["--keyring-key", "k", "--history", "101"] },
  "no workers": { argv: ["--keyring-key", "k", "--workers", "0"] },
  "a name that is no namespace": { argv: ["--keyring-key", "k", "--namespaces", "Shop"] },
  "a Lease without its namespace": { argv: ["--keyring-key", "k", "--leader-elect", "zopp-operator"] },
  "an own keyring without a Lease": { argv: ["--keyring-key", "k", "--keyring-elects", "on"] },
  "one keyring for several shards": {
    argv: ["--keyring-key", "k", "--keyring-elects", "on", "--leader-elect", "a/b", "--shards", "2"],
  },
  "no namespace at all": { argv: ["--keyring-key", "k", "--namespaces", ","] },
  "a wrong variable": { argv: ["--keyring-key", "k"], variables: { ZOPP_OPERATOR_LOG_LEVEL: "loud" } },
};
for (const [title, { argv, variables }] of Object.entries(REFUSED)) {
  t.test(`${title} is refused as wrong usage`, async (t) => {
    t.match(
      t.throws(() => read(argv, variables)),
      { exitCode: 2 },
    );
  });
}

t.test("--help teaches, and needs nothing", async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, "--help"]);
  for (const word of ["--keyring-key", "ZOPP_OPERATOR_", "readyz", "namespaces"]) t.ok(stdout.includes(word), word);
});
