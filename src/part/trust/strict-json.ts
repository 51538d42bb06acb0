/**
 * JSON that means one thing only. A parser that quietly takes one of two equal keys would let a policy, or what somebody signed, say
 * something else to us than to the one who wrote it.
 */

/** The value of a JSON text. A text that is none, or has a key twice in one object, throws an Error that says where. */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const twice = keyTwice(text);
  if (twice !== undefined) throw new Error(`the key ${twice.slice(0, 100)} stands twice in one object`);
  return value;
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Walks over a text that is known to be JSON: a string with a colon behind it is a key of the innermost object. */
function keyTwice(text: string): string | undefined {
  const open: Set<string>[] = [];
  let last = '';
  for (const [part] of text.matchAll(token)) {
    if (part === '{' || part === '[') open.push(new Set());
    else if (part === '}' || part === ']') open.pop();
    else if (part === ':') {
      const key = JSON.parse(last) as string;
      const keys = open.at(-1)!;
      if (keys.has(key)) return last;
      keys.add(key);
    }
    last = part;
  }
  return undefined;
}
