/** What depends on the OCI runtime; the rest of a session is in src/main/streams.root.test.ts. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { execSession } from './exec-session.ts';
import type { ExecSessionRequest } from './exec-session.ts';
import { OciRuntime } from './oci-runtime.ts';
import { RuntimeBed, eventually, missingForContainers, runtimesUnderTest } from './runtime-bed.fake.ts';
import type { MadeContainer } from './runtime-bed.fake.ts';
import type { TerminalSize } from './terminal-sizes.ts';

interface Session {
  readonly stdin: PassThrough;
  readonly sizes: { write(size: TerminalSize): boolean };
  readonly output: { seen: string };
  readonly errors: { seen: string };
  readonly code: Promise<number>;
  leave(): void;
}

function start(bed: RuntimeBed, container: MadeContainer, args: readonly string[], more: Partial<ExecSessionRequest> & { readonly size?: TerminalSize } = {}): Session {
  const [stdin, stdout, stderr, sizes] = [new PassThrough(), new PassThrough(), new PassThrough(), new PassThrough({ objectMode: true })];
  const leave = new AbortController();
  if (more.size !== undefined) sizes.write(more.size);
  const code = execSession({
    runtime: bed.runtime,
    id: container.id,
    process: { args, env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 } },
    terminal: false,
    streams: { stdin, stdout, stderr: more.terminal === true ? undefined : stderr, resizes: sizes },
    directory: container.bundle,
    containerPids: () => bed.pids(container.cgroup),
    signal: leave.signal,
    ...more,
  });
  code.catch(() => {});
  return { stdin, sizes, output: seen(stdout), errors: seen(stderr), code, leave: () => leave.abort() };
}

function seen(stream: PassThrough): { seen: string } {
  const result = { seen: '' };
  stream.setEncoding('utf8').on('data', (part: string) => { result.seen += part; });
  return result;
}

for (const handler of runtimesUnderTest) {
  describe(handler, { skip: missingForContainers(handler) ?? false }, () => {
    test('on pipes: input to its end, output, errors apart, exit code', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });
      const session = start(bed, container, ['sh', '-c', 'cat; echo err >&2; exit 3']);
      session.stdin.end('typed');

      assert.equal(await session.code, 3);
      assert.deepEqual([session.output.seen, session.errors.seen], ['typed', 'err\n']);
      assert.deepEqual(readdirSync(container.bundle).filter((name) => name.startsWith('exec-')), []);
    });

    test('on a terminal: size, resize, keys, exit code, and a hang-up when the client leaves', async (t) => {
      const bed = new RuntimeBed(t, handler);
      const container = await bed.run({ args: ['/bin/sleep', '100'] });
      const session = start(bed, container, ['sh', '-c', 'until [ "$(stty size)" = "31 91" ]; do sleep 0.02; done; echo sized; trap "stty size; echo changed" WINCH; while ! [ -e /tmp/go ]; do sleep 0.02; done; read line; echo "got $line"; exit 4'], { terminal: true, size: { columns: 91, rows: 31 } });
      await eventually(() => session.output.seen.includes('sized'));

      session.sizes.write({ columns: 133, rows: 44 });
      await eventually(() => /44 133\r+\nchanged/.test(session.output.seen));
      const go = start(bed, container, ['sh', '-c', 'echo > /tmp/go']);
      assert.equal(await go.code, 0);
      session.stdin.write('keys\n');
      assert.equal(await session.code, 4);
      assert.match(session.output.seen, /got keys\r\n$/);

      const left = start(bed, container, ['sh', '-c', 'trap "echo > /tmp/hung-up; exit" HUP; echo up; while true; do sleep 0.02; done'], { terminal: true });
      await eventually(() => left.output.seen.includes('up'));
      left.leave();
      await assert.rejects(left.code, { kind: 'cancelled', message: `exec in container ${container.id}: the client went away from "sh"; its processes were killed` });
      assert.equal(await start(bed, container, ['ls', '/tmp/hung-up']).code, 0);
    });

    for (const terminal of [false, true]) {
      test(`${terminal ? 'on a terminal' : 'on pipes'}: what cannot run is refused with the runtime's sentence, which the client does not see`, async (t) => {
        const bed = new RuntimeBed(t, handler);
        const container = await bed.run({ args: ['/bin/sleep', '100'] });

        const session = start(bed, container, ['nope'], { terminal });
        await assert.rejects(session.code, { kind: 'failed-precondition', message: /^exec in container t\w+: (crun|runc): .*executable file .*not found in \$PATH/ });
        await assert.rejects(start(bed, { ...container, id: 'nobody' }, ['true'], { terminal }).code, { kind: 'not-found' });
        await assert.rejects(start(bed, container, ['true'], { terminal, signal: AbortSignal.abort() }).code, { kind: 'cancelled' });
        const missing = new OciRuntime({ name: 'gone', path: '/nonexistent/oci', stateRoot: bed.dir, systemdCgroup: false, sendsTerminal: bed.runtime.sendsTerminal, log: silentLogger });
        await assert.rejects(start(bed, container, ['true'], { terminal, runtime: missing }).code, { kind: 'failed-precondition', message: `exec in container ${container.id}: runtime handler gone: no program /nonexistent/oci; install it or correct the handler's path` });

        assert.deepEqual([session.output.seen, session.errors.seen], ['', '']);
        assert.deepEqual(readdirSync(container.bundle).filter((name) => name.startsWith('exec-')), []);
      });
    }
  });
}
