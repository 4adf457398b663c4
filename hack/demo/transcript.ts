// Owns comparing what a document shows of the demo with what the demo printed.
// Does not own the demo.

/** What differs from one run to the next, and what stands for it. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, "<digest>"],
  [/\b[0-9a-f]{12}…/g, "<digest>"],
  [/\b[0-9a-f]{4}(-[0-9a-f]{4}){5}\b/g, "<fingerprint>"],
  [/\bzk1[a-z2-7]+/g, "<key>"],
  [/\b20\d{12}\b/g, "<version>"],
  [/[A-Za-z0-9+/=]{20}…[A-Za-z0-9+/=]+/g, "<base64>"],
  [/ \d+m?\d*s\b/g, " <age>"],
  [/\s+/g, " "],
];

/** The lines of a transcript that say something, commands without their prompts' names, masked. */
export function masked(text: string): readonly string[] {
  return text
    .replaceAll(/ \\\n\s+/g, " ")
    .split("\n")
    .map((line) => line.trim().replace(/^\w+:\w+ \$ /, "$ "))
    .map((line) => MASKS.reduce((done, [pattern, name]) => done.replaceAll(pattern, name), line))
    .filter((line) => line !== "");
}

/** The first shown line that does not come in the played lines after those before it. */
export function firstNotPlayed(shown: readonly string[], played: readonly string[]): string | undefined {
  let at = 0;
  return shown.find((line) => {
    const found = played.indexOf(line, at);
    at = found + 1;
    return found < 0;
  });
}
