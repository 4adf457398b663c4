// What each answer becomes, and that nothing of its message is kept.

import t from "tap";
import { ZoppError } from "../../crds/errors.js";
import { apiError, apiStatus, hasStatus, unreachable } from "./errors.js";
import { statusOf } from "./scripted-server.js";

const codes = {
  400: "ApiInvalid",
  401: "ApiRefused",
  403: "ApiRefused",
  404: "NotFound",
  409: "ApiConflict",
  410: "ApiConflict",
  413: "ApiInvalid",
  422: "ApiInvalid",
  429: "Overloaded",
  500: "ApiUnreachable",
  503: "Overloaded",
  504: "ApiUnreachable",
  200: "ApiUnreachable",
};
for (const [status, code] of Object.entries(codes)) {
  t.test(`an answer ${status} is ${code}`, async (t) => {
    const error = apiError("get secrets shop/api", Number(status), statusOf(Number(status), "SomeReason"));
    t.equal(error.code, code);
    t.same(apiStatus(error), { status: Number(status), reason: "SomeReason" });
    t.ok(hasStatus(error, Number(status)));
    t.match(error.message, `cannot get secrets shop/api: the api server answered ${status} SomeReason`);
    t.notMatch(JSON.stringify([error.message, error.cause, error.fields]), /hunter2/);
  });
}

t.test("a 422 names the fields, never what stood in them", async (t) => {
  const causes = [
    { reason: "FieldValueInvalid", field: "data[A]", message: "hunter2" },
    { reason: "hunter2 is no word", field: "spec.type", message: "x" },
    { reason: "FieldValueInvalid", field: "two words", message: "x" },
    { field: 7 },
    null,
  ];
  const error = apiError("apply secrets shop/api", 422, statusOf(422, "Invalid", { causes }));
  t.match(error.message, "answered 422 Invalid at data[A], spec.type");
  t.same(error.fields, [
    { path: "data[A]", problem: "FieldValueInvalid" },
    { path: "spec.type", problem: "is refused" },
  ]);
  t.notMatch(JSON.stringify(error.fields), /hunter2/);
});

t.test("bodies that are no Status are survived", async (t) => {
  for (const body of [undefined, null, "hunter2", [], { reason: "hunter2 with spaces" }, { details: { causes: 1 } }]) {
    const error = apiError("get x", 500, body);
    t.same(apiStatus(error), { status: 500, reason: "Unknown" });
  }
});

t.test("Retry-After is read from header or body, in seconds or as a date, and capped", async (t) => {
  const wait = (header?: string, seconds?: unknown) =>
    apiStatus(apiError("get x", 429, { details: { retryAfterSeconds: seconds } }, header))?.retryAfterMs;
  t.equal(wait("7"), 7000);
  t.equal(wait(undefined, 3), 3000);
  t.equal(wait("7", 3), 7000);
  t.equal(wait("86400"), 300_000);
  t.equal(wait("soon"), undefined);
  t.equal(wait(undefined, "3"), undefined);
  t.equal(wait("Mon, 01 Jan 2001 00:00:00 GMT"), undefined, "a date that is over");
  const inAMinute = wait(new Date(Date.now() + 60_000).toUTCString()) ?? 0;
  t.ok(inAMinute > 55_000 && inAMinute <= 60_000);
});

t.test("a socket failure keeps its code and not its message", async (t) => {
  const error = unreachable("get x", Object.assign(new Error("hunter2"), { code: "ECONNREFUSED" }));
  t.equal(error.code, "ApiUnreachable");
  t.same(apiStatus(error), { status: 0, reason: "ECONNREFUSED" });
  t.notMatch(JSON.stringify([error.message, error.cause]), /hunter2/);
  t.same(apiStatus(unreachable("get x", new DOMException("x", "AbortError"))), { status: 0, reason: "AbortError" });
  t.same(apiStatus(unreachable("get x", "hunter2")), { status: 0, reason: "Unknown" });
});

t.test("errors of others have no API status", async (t) => {
  t.equal(apiStatus(new Error("x")), null);
  t.equal(apiStatus(new ZoppError("Malformed", "x")), null);
  t.equal(apiStatus(new ZoppError("Malformed", "x", { cause: new Error("y") })), null);
});
