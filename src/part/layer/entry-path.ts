/** Entry names of a tar as paths inside the layer. Names are byte strings (see tar-header.ts). */
import { isUtf8 } from 'node:buffer';
import { badArchive } from './tar-header.ts';

/**
 * The name without leading slashes, `.` elements and trailing slashes; empty for the layer's root. An element `..` is
 * refused: no honest tool writes one.
 */
export function normalName(name: string): string {
  if (isNormal(name)) return name;
  const elements = name.split('/').filter((element) => element !== '' && element !== '.');
  if (elements.includes('..')) throw badArchive("a name with '..' is refused", name);
  return elements.join('/');
}

// Most names are normal already, apart from one trailing slash: this spares them the split.
function isNormal(name: string): boolean {
  return name !== '' && !/^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)/.test(name);
}

export function parentOf(name: string): string {
  return name.slice(0, Math.max(name.lastIndexOf('/'), 0));
}

export function baseOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/**
 * The absolute path of a normal name, for Node's fs functions: bytes where it is not plain ASCII. Always absolute,
 * because only absolute paths are held inside the layer by the worker's chroot.
 */
export function pathOf(name: string): string | Buffer {
  return bytesOf(`/${name}`);
}

/** A byte string as Node's fs functions take it. */
export function bytesOf(text: string): string | Buffer {
  return isAscii(text) ? text : Buffer.from(text, 'latin1');
}

/** The absolute path for a libc call, which takes text only: a name that is not UTF-8 is refused there. */
export function textPathOf(name: string): string {
  if (isAscii(name)) return `/${name}`;
  if (!isText(name)) throw badArchive('a device, a whiteout or a file with extended attributes must have a UTF-8 name', name);
  return `/${Buffer.from(name, 'latin1').toString('utf8')}`;
}

/** True when the byte string is UTF-8. */
export function isText(name: string): boolean {
  return isAscii(name) || isUtf8(Buffer.from(name, 'latin1'));
}

function isAscii(text: string): boolean {
  return !/[^\x01-\x7f]/.test(text);
}
