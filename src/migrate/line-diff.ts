/** What changes between two texts, as people read it: `-` and `+` before lines, a line of context around. */
export function lineDiff(before: string, after: string): string[] {
  const [old, fresh] = [linesOf(before), linesOf(after)];
  let first = 0;
  while (first < old.length && first < fresh.length && old[first] === fresh[first]) first++;
  let last = 0;
  while (last < old.length - first && last < fresh.length - first && old.at(-1 - last) === fresh.at(-1 - last)) last++;
  if (first === old.length && first === fresh.length) return [];
  const contextBefore = old.slice(Math.max(0, first - 1), first);
  const contextAfter = old.slice(old.length - last, old.length - last + 1);
  return [
    ...contextBefore.map((line) => `  ${line}`),
    ...old.slice(first, old.length - last).map((line) => `- ${line}`),
    ...fresh.slice(first, fresh.length - last).map((line) => `+ ${line}`),
    ...contextAfter.map((line) => `  ${line}`),
  ];
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}
