// How the benchmark preloads gc.ts into a process under measurement.
// Memory is asked for by memory.ts.

/** NODE_OPTIONS that make a process collect on SIGUSR2. */
export function gcOptions(): string {
  return `--import=${new URL("./gc.js", import.meta.url).pathname}`;
}
