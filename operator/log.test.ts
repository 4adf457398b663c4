// No line holds a secret: neither in a field named like one, nor in the message of an error that is not ours.

import t, { type Test } from "tap";
import { ZoppError } from "../crds/errors.js";
import { createLogger, errorFields } from "./log.js";

type Logger = ReturnType<typeof createLogger>;

function logged(t: Test, write: (log: Logger) => void): Record<string, unknown> {
  const lines: string[] = [];
  write(createLogger("test", "debug", { write: (line: string) => void lines.push(line) }));
  const text = lines.join("");
  t.notMatch(text, /hunter2/, "nothing secret");
  return JSON.parse(text) as Record<string, unknown>;
}

const foreign = (): Error =>
  Object.assign(new RangeError("hunter2"), { code: "ERR_X", body: "hunter2", headers: { a: "hunter2" } });

t.test("a line is JSON with level, time, name, message and fields", async (t) => {
  const line = logged(t, (log) => log.info({ object: "shop/api" }, "synced"));
  t.match(line, { level: "info", name: "test", object: "shop/api", msg: "synced", time: /^\d{4}-.*Z$/ });
});

t.test("fields named like secrets are redacted, also inside objects", async (t) => {
  for (const name of ["token", "authorization", "value", "data", "seed", "key", "privateKey", "passphrase"]) {
    logged(t, (log) => log.info({ [name]: "hunter2" }, "x"));
    logged(t, (log) => log.info({ request: { [name]: "hunter2" } }, "x"));
    logged(t, (log) => log.info({ request: { inner: { [name]: "hunter2" } } }, "x"));
  }
});

const ways: Record<string, (log: Logger) => void> = {
  "as err": (log) => log.error({ err: foreign() }, "failed"),
  "as err without a message": (log) => log.error({ err: foreign() }),
  "under another name": (log) => log.error({ problem: foreign() }, "failed"),
  alone: (log) => log.error(foreign()),
  "alone with a message": (log) => log.error(foreign(), "failed"),
  "as the cause of ours": (log) =>
    log.error({ err: new ZoppError("Internal", "open failed", { cause: foreign() }) }, "failed"),
  "as what an api server said": (log) =>
    log.error(
      { err: new ZoppError("Internal", "x", { cause: { status: 500, reason: "hunter2 !", body: "hunter2" } }) },
      "x",
    ),
};
for (const [title, write] of Object.entries(ways)) {
  t.test(`a foreign error ${title} shows neither its message nor its fields`, async (t) => {
    const line = logged(t, write);
    t.type(line.msg, "string");
  });
}

t.test("a foreign error shows name, code and where it was thrown", async (t) => {
  const fields = errorFields(foreign());
  t.match(fields, { name: "RangeError", code: "ERR_X" });
  t.match((fields.stack as string[])[0], /^at .*log\.test/);
});

t.test("our errors show code, message and what the api server answered", async (t) => {
  const cause = { status: 409, reason: "Conflict" };
  const error = new ZoppError("ApiConflict", "cannot apply secrets shop/api", { cause });
  t.same(errorFields(error), { code: "ApiConflict", message: "cannot apply secrets shop/api", cause });
  t.same(errorFields("hunter2"), { name: "string" });
});

t.test("causes in a circle end", async (t) => {
  const error = new ZoppError("Internal", "x");
  Object.defineProperty(error, "cause", { value: error });
  t.ok(JSON.stringify(errorFields(error)).length < 1000);
});
