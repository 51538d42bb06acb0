/** Reads what runsc answers about containers in a sandbox. */

/** A process and all below it, itself first, by the pids of `runsc ps --format table`. */
export function withDescendants(pid: number, table: string): number[] {
  const rows = table.split('\n').slice(1).map((line) => line.trim().split(/\s+/).slice(1, 3).map(Number));
  const found = [pid];
  for (const parent of found) found.push(...rows.flatMap(([child, its]) => (child !== undefined && its === parent && !found.includes(child) ? [child] : [])));
  return found;
}

/** Nanoseconds of CPU of one container, from `runsc events --stats`; undefined for any other text. */
export function parseCpuTime(text: string): bigint | undefined {
  const total = /"cpu":\s*\{\s*"usage":\s*\{[^}]*"total":\s*(\d+)/.exec(text)?.[1];
  return total === undefined ? undefined : BigInt(total);
}
