import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where the programs lie that every Linux system has, whatever PATH says. */
export const systemPath = '/usr/bin:/bin:/usr/sbin:/sbin';

/** The absolute path of a program by its name, as a shell finds it: the first executable in the search path. Relative entries are passed over. Undefined when there is none. */
export function findProgram(name: string, searchPath = process.env['PATH'] ?? ''): string | undefined {
  return searchPath.split(delimiter).filter(isAbsolute).map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
