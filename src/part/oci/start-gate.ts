/**
 * Makes a container inside a gVisor sandbox fit for conmon, which needs two things of the runtime's `create`: the pid of a child whose exit
 * is the container's, and that the container's streams are settled by then. runsc gives neither: what it reports is the sandbox's
 * pid, and a container without a terminal takes the streams of whoever runs `start`.
 *
 * So `create` leaves a small shell behind, the gate, with conmon's streams, under the pid that conmon is told. It waits at a fifo; let
 * in, it runs `runsc start` with these streams, then `runsc wait`, and ends as the container ended. It lives on when we do not.
 */
import { constants } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../base/errors.ts';
import { run } from '../../host/spawn.ts';
import type { RunOptions } from '../../host/spawn.ts';
import type { Command } from './command.ts';

// Words: the gate's folder, the container's id, how many words come before the sub-command, and the whole `create` as conmon asks for it.
const create = String.raw`
gate=$1 id=$2 words=$3; shift 3
pidfile= previous=
for word; do [ "$previous" = --pid-file ] && pidfile=$word; previous=$word; done
rm -rf "$gate" && mkdir -m 700 "$gate" && mkfifo -m 600 "$gate/start" "$gate/started" || exit
"$@" || { code=$?; rm -rf "$gate"; exit "$code"; }
left=$#
while [ "$left" -gt 0 ]; do
  [ "$words" -gt 0 ] && set -- "$@" "$1"
  shift; words=$((words - 1)) left=$((left - 1))
done
exec 4<&0 # a shell gives what it puts into the background /dev/null to read
(
  trap '' HUP
  read -r word <"$gate/start" && [ "$word" = go ] || exit 137
  "$@" --log "$gate/log" --log-format json start "$id" <&4 4<&-
  code=$?
  { echo "$code"; [ "$code" = 0 ] || cat "$gate/log"; } >"$gate/started"
  [ "$code" = 0 ] || exit 137
  exec 4<&-
  code=$("$@" wait "$id" </dev/null 2>/dev/null | sed -n 's/.*"exitStatus": *\([0-9]*\).*/\1/p')
  exit "${'$'}{code:-137}"
) &
echo $! >"$pidfile"
`;

/** What came of a start: the exit code of `runsc start`, and its log where it failed. */
export interface GateAnswer {
  readonly code: number;
  readonly complaint: string;
}

export class StartGates {
  readonly #root: string;
  /** Sandboxes whose lock is there before they are. */
  readonly #making = new Set<string>();

  /** `root`: the folder of the runtime's state, in which a container's gate has a folder by its id. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The command for conmon to create a container with. */
  creating(id: string, { file, args }: Command): Command {
    return { file: '/bin/sh', args: ['-c', create, 'sh', join(this.#root, id), id, String(args.length + 1), file, ...args] };
  }

  /** Starts the container; undefined when it has no gate: it is a sandbox, or was let in before. */
  async start(id: string, options: RunOptions): Promise<GateAnswer | undefined> {
    const gate = join(this.#root, id);
    // Opening a fifo waits for the other end: a shell does it, which can be ended.
    const { code, stdout } = await run('/bin/sh', ['-c', '[ -p "$0/start" ] || exit 99; echo go >"$0/start" && rm "$0/start" && cat "$0/started"', gate], options);
    if (code === 99) return undefined;
    const [first = '', ...complaint] = stdout.toString().split('\n');
    return { code: /^\d+$/.test(first) ? Number(first) : 1, complaint: complaint.join('\n') };
  }

  /** Ends a gate that waits, as SIGKILL would end the container; one that is not there, or let its container in, is success. */
  async dismiss(id: string): Promise<void> {
    try {
      await using fifo = await open(join(this.#root, id, 'start'), constants.O_WRONLY | constants.O_NONBLOCK);
      await fifo.write('stop\n');
    } catch (error) {
      if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENXIO')) throw error;
    }
  }

  /** Called before a sandbox is created. */
  expect(sandboxId: string): void {
    this.#making.add(sandboxId);
  }

  /**
   * Takes the gate of a deleted container away, and lock files that are left: whatever deletes one container of a sandbox looks at all of them,
   * and makes the locks anew of those that are deleted at the same time.
   */
  async remove(id: string): Promise<void> {
    await this.dismiss(id);
    await rm(join(this.#root, id), { recursive: true, force: true });
    this.#making.delete(id);
    const names = new Set(await readdir(this.#root));
    const isStale = (name: string): boolean => {
      const [, container, sandbox] = /^(\w+)_sandbox:(\w+)\.lock$/.exec(name) ?? [];
      if (container === undefined || sandbox === undefined || names.has(`${container}_sandbox:${sandbox}.state`)) return false;
      return container === id || (!names.has(`${sandbox}_sandbox:${sandbox}.state`) && !this.#making.has(sandbox));
    };
    await Promise.all([...names].filter(isStale).map((name) => rm(join(this.#root, name), { force: true })));
  }
}
