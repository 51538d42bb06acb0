/** What is going on, for the person who waits; stdout is for the report. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
