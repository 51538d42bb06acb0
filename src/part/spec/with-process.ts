import { posix } from 'node:path';
import type { ContainerConfig } from '../../gen/cri.ts';
import { badField, checkAbsolutePath, checkArgument, checkProgram, checkText, quote } from './check-field.ts';
import { failure } from '../../base/errors.ts';
import type { SpecStep } from './build-container-spec.ts';
import type { ImageConfig } from './image-config.ts';

/** What runs, where, and whether on a terminal. */
export const withProcess: SpecStep = (spec, { config, image }) => ({
  ...spec,
  process: {
    ...spec.process,
    terminal: config.tty,
    args: effectiveArgs(config, image),
    cwd: effectiveCwd(config, image),
    noNewPrivileges: config.linux?.securityContext?.noNewPrivs ?? false,
  },
});

/**
 * Kubernetes' table: `command` replaces the image's Entrypoint and also drops its Cmd; `args` replaces Cmd alone. An Entrypoint of one empty
 * string is how a Dockerfile takes a base image's entrypoint away.
 */
function effectiveArgs(config: ContainerConfig, image: ImageConfig): readonly string[] {
  const command = checkWords('config.command', config.command);
  const given = checkWords('config.args', config.args);
  const entrypoint = checkWords('image config.Entrypoint', image.Entrypoint ?? []);
  const cmd = checkWords('image config.Cmd', image.Cmd ?? []);

  const first: readonly Word[] = command.length > 0 ? command : entrypoint.length === 1 && entrypoint[0]?.text === '' ? [] : entrypoint;
  const rest = command.length > 0 || given.length > 0 ? given : cmd;
  const words = [...first, ...rest];
  const program = words[0];
  if (program === undefined) {
    throw failure('failed-precondition', { act: 'choose what to run', why: 'the image has no Entrypoint and no Cmd, and the container has no command: set one' });
  }
  checkProgram(program.field, program.text);
  return words.map((word) => word.text);
}

interface Word {
  readonly field: string;
  readonly text: string;
}

function checkWords(list: string, texts: readonly string[]): Word[] {
  return texts.map((text, index) => ({ field: `${list}[${index}]`, text: checkArgument(`${list}[${index}]`, text) }));
}

function effectiveCwd(config: ContainerConfig, image: ImageConfig): string {
  if (config.workingDir !== '') return refuseProcess('config.working_dir', checkAbsolutePath('config.working_dir', config.workingDir));
  // Builders write absolute paths; of the few images that do not, everyone takes the path from the root.
  const where = 'image config.WorkingDir';
  return refuseProcess(where, checkAbsolutePath(where, posix.join('/', checkText(where, image.WorkingDir ?? ''))));
}

// A working directory such as /proc/self/fd/7 made a runtime start inside a descriptor it had left open (CVE-2024-21626).
function refuseProcess(field: string, cwd: string): string {
  if (/^\/proc\/(self|thread-self|[0-9]+)(\/|$)/.test(cwd)) throw badField(field, `${quote(cwd)} is inside a process's own directory`);
  return cwd;
}
