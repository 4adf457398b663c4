// Owns where what was built or downloaded is kept, outside any checkout.
// Does not own what lies there.
import { homedir } from "node:os";
import { join } from "node:path";

/** A path in our cache: `$XDG_CACHE_HOME` (or `~/.cache`)`/zopp/<parts>`. Nothing is made. */
export function inCache(env: NodeJS.ProcessEnv, ...parts: readonly string[]): string {
  return join(env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache"), "zopp", ...parts);
}
