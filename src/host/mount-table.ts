/** The mounts that a process sees, proc_pid_mountinfo(5), and which of them a path lies on. */

export interface MountEntry {
  /** Absolute, as it is: the octal escapes are resolved. */
  readonly mountPoint: string;
  /** Which directory of its filesystem is seen there. */
  readonly root: string;
  /** Of the filesystem: `major:minor`. */
  readonly device: string;
  /** As in `ext4`, `overlay`, `nsfs`. */
  readonly type: string;
  /** What is mounted here later appears in the mount's peers, and the other way round. */
  readonly shared: boolean;
  /** What is mounted at its master later appears here. */
  readonly slave: boolean;
}

/** The lines of mountinfo, in their order: a later mount on the same point covers the earlier. */
export function parseMountTable(mountinfo: string): MountEntry[] {
  return mountinfo.split('\n').filter((line) => line !== '').map((line) => {
    // id parent major:minor root mount-point options [optional fields] - type source options
    const words = line.split(' ');
    const dash = words.indexOf('-', 6);
    const propagation = words.slice(6, dash);
    return {
      mountPoint: unescapePath(words[4] ?? ''),
      root: unescapePath(words[3] ?? ''),
      device: words[2] ?? '',
      type: words[dash + 1] ?? '',
      shared: propagation.some((field) => field.startsWith('shared:')),
      slave: propagation.some((field) => field.startsWith('master:')),
    };
  });
}

/** The mount that a path without symlinks lies on. Undefined only where the table has no root. */
export function mountOf(table: readonly MountEntry[], path: string): MountEntry | undefined {
  const around = table.filter(({ mountPoint }) => mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`));
  return around.reduce<MountEntry | undefined>((best, entry) => (best === undefined || entry.mountPoint.length >= best.mountPoint.length ? entry : best), undefined);
}

/** The kernel escapes blank, tab, newline and backslash, all of them ASCII. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
