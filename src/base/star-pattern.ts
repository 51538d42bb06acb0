/**
 * Whether a whole text is of a pattern in which `*` stands for any characters (slashes and line breaks too), and everything else for itself. Each
 * part between stars is looked for behind the one before, so that no pattern is slow on any text.
 */
export function matchesStars(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern === text;
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
