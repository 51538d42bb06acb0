/**
 * A crun of before 1.24 makes the container's user the owner of whatever its standard streams are. Where conmon gives it the node's
 * /dev/null, that user could from then on close it to everybody (chmod 000). gVisor does the same for `nobody`, as whom it runs. An empty
 * pipe reads as /dev/null does, and is nobody else's.
 */
import type { Command } from './command.ts';

/**
 * The same command without /dev/null: the shell makes an empty pipe of a here-document and becomes the command. With a terminal conmon
 * gives /dev/null as standard output too, to which nothing is written: there it is the pipe of the errors.
 */
export function withoutDevNull({ file, args }: Command, { terminal }: { terminal: boolean }): Command {
  return { file: '/bin/sh', args: ['-c', `exec "$@" ${terminal ? '>&2 ' : ''}<<.\n.\n`, 'sh', file, ...args] };
}
