// Reads counters of a running process from its /metrics, so that a test can say that nothing happened.
// Knows the text form of Prometheus and no metric by name.

/** Sums a counter over all its series whose labels hold these values; 0 when there is none. */
export async function counterOf(
  port: number,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum = 0;
  for (const line of (await answer.text()).split("\n")) {
    if (line !== name && !line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
    if (wanted.every((label) => line.includes(label))) sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}
