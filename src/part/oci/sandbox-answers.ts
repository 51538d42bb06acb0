/** Reads what runsc answers about containers in a sandbox. */

/** A process and all below it, itself first, by the pids of `runsc ps --format table`. */
export function withDescendants(pid: number, table: string): number[] {
  const rows = table.split('\n').slice(1).map((line) => line.trim().split(/\s+/).slice(1, 3).map(Number));
  const found = [pid];
  for (const parent of found) found.push(...rows.flatMap(([child, its]) => (child !== undefined && its === parent && !found.includes(child) ? [child] : [])));
  return found;
}

/** Nanoseconds of CPU of one container, from `runsc events --stats`, which leaves out a total of zero; undefined for any other text. */
export function parseCpuTime(text: string): bigint | undefined {
  const usage = /"cpu":\s*\{\s*"usage":\s*\{([^}]*)\}/.exec(text)?.[1];
  return usage === undefined ? undefined : BigInt(/"total":\s*(\d+)/.exec(usage)?.[1] ?? 0);
}
