// Preloaded by the benchmark: collects garbage on SIGUSR2. Never part of what is shipped.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;

process.on("SIGUSR2", () => {
  for (let round = 0; round < 3; round += 1) collect();
});
