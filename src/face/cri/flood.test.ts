/** More calls than there may be, of every RPC and of every size: each is answered or told why not, and the daemon's memory stays what it was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerConfig, CreateContainerRequest, ImageServiceService, ImageSpec, RuntimeServiceService } from '../../gen/cri.ts';
import type { RpcName } from './cri-client.fake.ts';
import { fakeEngine, only } from './engine.fake.ts';
import { refused, served, until, untilAborted } from './served.fake.ts';

const services = { ...RuntimeServiceService, ...ImageServiceService };
const unary = (Object.keys(services) as RpcName[]).filter((name) => !services[name].responseStream);
const MiB = 1024 * 1024;

/** What an outcome may be: anything that the RPC itself says of an empty request, but no fault of the daemon. */
const faults = /INTERNAL|UNKNOWN|UNAVAILABLE/;

test('a flood of every RPC is answered, and leaves the memory as it was', { timeout: 60_000 }, async (t) => {
  const { client, server } = await served(t, fakeEngine());
  const one = client();
  const flood = async (calls: number): Promise<void> => {
    for (const name of unary) {
      const empty = services[name].requestDeserialize(Buffer.alloc(0));
      const outcomes = await Promise.all(Array.from({ length: calls }, () => one.call(name, empty as never).then(() => 'OK', (error: Error) => error.message)));
      assert.deepEqual(outcomes.filter((outcome) => faults.test(outcome)), [], name);
    }
  };

  await flood(10);
  const before = process.memoryUsage().rss;
  await flood(40);
  const grown = process.memoryUsage().rss - before;

  assert.equal(server.inFlight, 0);
  assert.ok(grown < 128 * MiB, `grown by ${Math.round(grown / MiB)} MiB`);
});

test('one method over its limit is refused with the reason, and all others are answered', async (t) => {
  const { fake } = untilAborted();
  const { client, server } = await served(t, fake);
  const one = client();
  const hanging = Array.from({ length: 512 }, () => one.cancellable('execSync', { containerId: 'c', cmd: ['sleep'], timeout: 0n }));
  const answers = Promise.allSettled(hanging.map(({ answer }) => answer));
  await until(() => server.inFlight === 512);

  assert.deepEqual(await refused(one.call('execSync', { containerId: 'c', cmd: ['true'], timeout: 0n })), {
    code: 'RESOURCE_EXHAUSTED', details: 'ExecSync: 512 such calls are being answered already; ask again when some are done',
  });
  assert.equal((await one.call('version', { version: '' })).runtimeName, 'gantry');

  hanging.forEach((call) => call.cancel());
  await answers;
  await until(() => server.inFlight === 0);
});

test('large requests that wait for their answers are held up to a limit, and a larger one than may be is refused', async (t) => {
  const { promise: over, resolve: end } = Promise.withResolvers<string>();
  const { client, server } = await served(t, fakeEngine({ containers: { create: () => over } }), MiB);
  const one = client();
  const request = (bytes: number): CreateContainerRequest => only(CreateContainerRequest, {
    podSandboxId: 'p',
    config: only(ContainerConfig, { metadata: { name: 'c', attempt: 0 }, image: only(ImageSpec, { image: 'i' }), args: ['x'.repeat(bytes)] }),
  });
  const waiting = Array.from({ length: 8 }, () => one.call('createContainer', request(MiB - 200)));
  await until(() => server.inFlight === 8);

  assert.match((await refused(one.call('createContainer', request(MiB / 2)))).details, /^CreateContainer: the requests that are being answered have \d+ bytes, and with the \d+ of this one more than 8388608; ask again/);
  assert.equal((await refused(one.call('createContainer', request(MiB + 1)))).code, 'RESOURCE_EXHAUSTED');
  assert.equal((await one.call('version', { version: '' })).runtimeName, 'gantry');

  end('made');
  assert.deepEqual(await Promise.all(waiting.map(async (call) => (await call).containerId)), Array.from({ length: 8 }, () => 'made'));
});
