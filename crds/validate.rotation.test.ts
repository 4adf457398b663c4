// The job of a rotation, as a bundle's fields describe it: which are taken, and with which path each other one is refused.
import t from "tap";
import { ABSENT, acceptsEach, type Path, PROBLEM, refusesEach } from "../hack/field-table.js";
import { bundle, world } from "../hack/fixtures.js";
import { parseSecret } from "./validate.js";

const { environment } = world();
const ROTATION: Path = ["spec", "rotation"];
const GENERATE: Path = ["spec", "generate"];
const USER = { version: 1, kind: "password", length: 32, previous: "USER_OLD" } as const;
const KEY_PAIR = { version: 1, kind: "ed25519", public: "KEY.pub", previous: "KEY_OLD" } as const;
const valid = bundle(
  environment,
  { ADMIN_URL: "postgres://admin@db", HOST: "db" },
  {
    render: { DSN: "[[ USER ]]@[[ HOST ]]" },
    generate: { USER, KEY: KEY_PAIR },
    rotation: {
      image: "registry.example.com/rotate@sha256:0123",
      command: ["/bin/rotate", "a b"],
      deadline: "5m",
      keys: ["ADMIN_URL"],
    },
  },
);
const secret = { parse: parseSecret, valid };

t.test("a bundle with a rotation is accepted", async (t) => {
  acceptsEach(t, secret, [
    ["as the command line writes it", ["metadata", "labels"], {}],
    ["with an image alone", ROTATION, { image: "rotate" }],
    ["with the longest deadline", [...ROTATION, "deadline"], "1h"],
    ["with that deadline in seconds", [...ROTATION, "deadline"], "3600s"],
    ["with a key that is set later", [...ROTATION, "keys", 0], "NOT_YET"],
    ["with a key that every object has", [...ROTATION, "keys", 0], "toString"],
    ["with an empty list of keys", [...ROTATION, "keys"], []],
  ]);
});

t.test("a bundle is refused for its rotation", async (t) => {
  const PREVIOUS = "is missing: the job of spec.rotation gets the value before";
  refusesEach(t, secret, [
    ["without an image", [...ROTATION, "image"], ABSENT, ["spec.rotation.image is missing"]],
    ["with a space in the image", [...ROTATION, "image"], "a b", [`spec.rotation.image ${PROBLEM.form}`]],
    ["with an unknown field", [...ROTATION, "env"], {}, [`spec.rotation.env ${PROBLEM.unknown}`]],
    [
      "with a command that is one text",
      [...ROTATION, "command"],
      "/bin/rotate",
      ["spec.rotation.command is not of the type array"],
    ],
    ["without rules", GENERATE, ABSENT, ["spec.rotation has no rule in spec.generate to rotate"]],
    ["with an empty list of rules", GENERATE, {}, ["spec.rotation has no rule in spec.generate to rotate"]],
    [
      "with rules that do not keep the value before",
      GENERATE,
      { USER: { ...USER, previous: undefined }, TOKEN: { version: 1, kind: "uuid" }, KEY: KEY_PAIR },
      [`spec.generate.USER.previous ${PREVIOUS}`, `spec.generate.TOKEN.previous ${PREVIOUS}`],
    ],
    ["with a deadline in days", [...ROTATION, "deadline"], "1d", [`spec.rotation.deadline ${PROBLEM.form}`]],
    ["with no time at all", [...ROTATION, "deadline"], "0s", [`spec.rotation.deadline ${PROBLEM.form}`]],
    ["with more than an hour", [...ROTATION, "deadline"], "3601s", ["spec.rotation.deadline is longer than 1h"]],
    ["with a key twice", [...ROTATION, "keys", 1], "ADMIN_URL", [`spec.rotation.keys.1 ${PROBLEM.twice}`]],
    ["with what is no key", [...ROTATION, "keys", 0], "../x", [`spec.rotation.keys.0 ${PROBLEM.key}`]],
    ["with a generated key", [...ROTATION, "keys", 0], "USER", ["spec.rotation.keys.0 is a generated key as well"]],
    [
      "with the key of a value before",
      [...ROTATION, "keys", 0],
      "USER_OLD",
      ["spec.rotation.keys.0 is a generated key as well"],
    ],
    [
      "with the key of a public half",
      [...ROTATION, "keys", 0],
      "KEY.pub",
      ["spec.rotation.keys.0 is a generated key as well"],
    ],
    [
      "with a Secret that takes no new values",
      ["spec", "target"],
      { immutable: true },
      ["spec.target.immutable goes with no rotation: the Secret gets new values"],
    ],
    ["with a rendered key", [...ROTATION, "keys", 0], "DSN", ["spec.rotation.keys.0 is a rendered key as well"]],
  ]);
});
