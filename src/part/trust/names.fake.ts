/** Names as the tests of this part write them: complete, `host/path[:tag][@digest]`. */
import type { ImageName } from './image-name.ts';

export function readPlainName(text: string): ImageName | undefined {
  const match = /^([a-z0-9.*-]+(?::\d+)?(?:\/[a-z0-9._-]+)+)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(text);
  return match === null ? undefined : { name: match[1]!, tag: match[2], digest: match[3] };
}

export function plainName(text: string): ImageName {
  const name = readPlainName(text);
  if (name === undefined) throw new Error(`no name: ${text}`);
  return name;
}
