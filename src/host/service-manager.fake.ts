/** A service manager for tests: it listens on a notification socket and answers what it hears. */
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { spawn } from './spawn.ts';

// Node has no unix datagram sockets; Debian's perl-base, which is on every machine, has.
const listener = `use Socket; $| = 1;
socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0] =~ s/^@/\\0/r)) or die "$!"; print "bound\\n";
while (defined recv(S, $m, 4096, 0)) { $m =~ s/\\n/|/g; print "$m\\n" }`;

/** Listens at `address` until the test ends. Each call of the result waits for the next message, its newlines shown as bars. */
export async function startServiceManager(t: TestContext, address: string): Promise<() => Promise<string>> {
  const child = spawn('/usr/bin/perl', ['-e', listener, address], { stdio: ['null', 'pipe-out', 2] });
  t.after(async () => {
    child.kill('SIGKILL');
    await child.exited;
  });
  const lines = createInterface({ input: child.streams[1]! })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  if ((await next()) !== 'bound') throw new Error(`no service manager at ${address}`);
  return next;
}
