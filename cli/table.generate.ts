// The line of the command table about values that keyrings make.
import { ENVIRONMENT, NAMESPACE } from "./table.options.js";
import type { CommandSpec, OptionSpec } from "./table.types.js";

/** Of `--kind certificate` only. */
const CERTIFICATE: readonly OptionSpec[] = [
  { flags: "--certificate <key>", description: "the key of the Secret that gets the certificate" },
  { flags: "--authority <key>", description: "the key of the Secret that gets the certificates that it is checked by" },
  { flags: "--common-name <name>", description: "the common name of a certificate's subject; a CA needs one" },
  { flags: "--dns <name...>", description: "a DNS name that the certificate is for" },
  { flags: "--ip <address...>", description: "an IP address that the certificate is for" },
  { flags: "--uri <uri...>", description: "a URI that the certificate is for, as spiffe://acme/api" },
  { flags: "--usage <end...>", description: "server, client (default: both)" },
  { flags: "--valid-for <time>", description: "how long a certificate is valid (default: 90d, 730d for a CA)" },
  { flags: "--ca", description: "a CA, whose key signs certificates of other bundles" },
  { flags: "--issuer <bundle/key>", description: "the CA that signs, in the same namespace (default: the key itself)" },
  {
    flags: "--issues <bundle=names...>",
    description:
      "of a CA: which bundle (* for all) gets certificates for which names, with commas: exact, or *.shop.svc for one label before it; none: for nobody",
  },
];

/** The commands about generated values, in the order in which help shows them. */
export const GENERATE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "generate",
    args: "<bundle> <key>",
    summary:
      "sign for a value that each cluster's keyring makes by itself, once or every so often; nobody ever types it",
    examples: [
      "zopp generate api SESSION_KEY --kind bytes --length 64",
      "zopp generate api DB_PASSWORD --kind password --rotate-every 30d --previous DB_PASSWORD_OLD",
      "zopp generate shop-prod/api jwt.key --kind ed25519 --public jwt.pub",
      "zopp generate shop-prod/internal-ca ca.key --kind certificate --certificate ca.crt --ca --common-name shop-internal --issues 'api=*.shop-prod.svc'",
      "zopp generate shop-prod/api tls.key --kind certificate --certificate tls.crt --authority ca.crt --dns api.shop-prod.svc --issuer internal-ca/ca.key",
      "zopp generate api DB_PASSWORD --again",
    ],
    options: [
      {
        flags: "--kind <kind>",
        description: "password, bytes, uuid, the private half of a key pair, or one with a TLS certificate",
        choices: ["password", "bytes", "uuid", "ed25519", "ecdsa", "rsa", "certificate"],
      },
      { flags: "--length <count>", description: "characters of a password, or bytes (default: 32)" },
      { flags: "--alphabet <characters>", description: "what a password is made of (default: letters and digits)" },
      {
        flags: "--curve <name>",
        description: "of an ecdsa or certificate's key (default: P-256)",
        choices: ["P-256", "P-384"],
      },
      { flags: "--bits <count>", description: "of an rsa key: 2048, 3072 (the default) or 4096" },
      { flags: "--public <key>", description: "the key of the Secret that gets the public half" },
      {
        flags: "--rotate-every <time>",
        description:
          "have another value made every 720h, 30d or 4w; never: only when asked (default: never; 30d for a certificate, 365d for a CA)",
      },
      ...CERTIFICATE,
      { flags: "--previous <key>", description: "the key of the Secret that keeps the value before" },
      { flags: "--again", description: "another value now, by the same rule" },
      { flags: "-y, --yes", description: "do not ask: another value also while one waits for its rotation job" },
      ENVIRONMENT,
      NAMESPACE,
    ],
  },
];
