/** Sizes, ages and ids as people read them. */

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes in powers of 1000, three digits at most: `0 B`, `999 B`, `1.5 kB`, `42.3 MB`. */
export function humanSize(bytes: bigint | number): string {
  let value = Number(bytes);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const text = unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text.replace(/\.0$/, '')} ${units[unit]}`;
}

/** The age of a moment in its one or two largest units: `now`, `12s`, `5m`, `3h20m`, `12d`. Clocks that disagree give `now`. */
export function humanAge(createdAtNs: bigint, nowMs: number): string {
  if (createdAtNs <= 0n) return '-';
  const seconds = Math.floor((nowMs - Number(createdAtNs / 1_000_000n)) / 1000);
  if (seconds < 1) return 'now';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d`;
}

/** Milliseconds as `0.12 s` or `2 m 05 s`. */
export function humanElapsed(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`;
}

/** The first 13 characters of an id, as the CRI tools print them; an algorithm in front is left out. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 13);
}

/** `90` (seconds), `500ms`, `30s`, `1h30m`, `2d` in milliseconds; undefined when it is not one. */
export function parseDuration(text: string): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  if (!/^(\d{1,9}(ms|s|m|h|d))+$/.test(text)) return undefined;
  const scale = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) total += Number(count) * scale[unit as keyof typeof scale];
  return total;
}
