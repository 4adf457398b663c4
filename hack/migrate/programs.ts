// Owns which programs of other tools the paths away from them are tried with.
// Does not own building them, nor what they are asked.
import { spawnSync } from "node:child_process";
import { findProgram } from "../executables.js";
import { fromModule, type GoPrograms, missingOf } from "../go-programs.js";

/** SOPS, which opens files with an age key here. */
export const SOPS = fromModule("migrate", {
  title: "SOPS",
  name: "sops",
  version: "3.13.3",
  programs: [{ name: "sops", goPackage: "github.com/getsops/sops/v3/cmd/sops", minutes: 1.5, megabytes: 50 }],
});

/** The client and the controller of sealed-secrets. */
export const SEALED_SECRETS = fromModule("migrate", {
  title: "sealed-secrets",
  name: "sealed-secrets",
  version: "0.36.6",
  programs: [
    { name: "kubeseal", goPackage: "github.com/bitnami-labs/sealed-secrets/cmd/kubeseal", minutes: 1.5, megabytes: 37 },
    {
      name: "controller",
      goPackage: "github.com/bitnami-labs/sealed-secrets/cmd/controller",
      minutes: 1,
      megabytes: 50,
    },
  ],
});

/** Why programs cannot be had here, or false: they lie in the cache, or Go builds them. */
export function lacking(wanted: GoPrograms): string | false {
  if (missingOf(wanted, process.env).length === 0 || findProgram("go", process.env["PATH"]) !== undefined) return false;
  return `no ${wanted.title} in the cache and no Go to build it: the path away from it is not tried`;
}

/** Why the controller of sealed-secrets cannot be made to believe that it is in a pod, or false. */
export function noMountsOfOwn(): string | false {
  const { status } = spawnSync("unshare", [...UNSHARE, "true"], { stdio: "ignore" });
  return status === 0 ? false : "no mount namespace of one's own here: the controller of sealed-secrets cannot run";
}

/** Root in a user namespace of its own, with mounts that nobody else sees. */
export const UNSHARE = ["--user", "--map-root-user", "--mount"] as const;
