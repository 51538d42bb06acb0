/** Port-forward over WebSocket channels, to servers of this machine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { servedStreams, until, WsClient } from '../served-streams.fake.ts';

async function listening(t: TestContext, handle: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

const portBytes = (port: number): number[] => [port & 0xff, port >> 8];

for (const protocol of ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', '']) {
  test(`${protocol === '' ? 'no protocol' : protocol}: each port has a channel for data and one for its error, both beginning with the port`, async (t) => {
    const { server, engine } = await servedStreams(t);
    const [one, two] = [await listening(t, (socket) => void socket.once('data', (data) => socket.end(`one: ${data}`))), await listening(t, (socket) => void socket.pipe(socket))];

    const client = new WsClient(await server.offer({ kind: 'portforward', podId: 'p', ports: [one, two] }), protocol === '' ? [] : protocol);
    await client.opened;
    client.send(0, 'hello');
    client.send(2, 'echoed');
    await until(() => client.of(2).length === 8 && client.of(0).length === 12);

    assert.deepEqual([...client.of(0).subarray(0, 2)], portBytes(one));
    assert.equal(client.of(0).toString('utf8', 2), 'one: hello');
    assert.deepEqual([...client.of(1)], portBytes(one));
    assert.deepEqual([...client.of(2).subarray(0, 2)], portBytes(two));
    assert.equal(client.of(2).toString('utf8', 2), 'echoed');
    assert.deepEqual([...client.of(3)], portBytes(two));
    client.socket.close();
    await until(() => engine.going === 0 && server.load.sessions === 0);
  });
}

test('ports may be named by the client, and a port that nobody listens on is told on its own channel', async (t) => {
  const { server } = await servedStreams(t);
  const port = await listening(t, (socket) => void socket.end('here'));
  const gone = 1;

  const client = new WsClient(`${await server.offer({ kind: 'portforward', podId: 'p', ports: [] })}?port=${gone},${port}`, 'v4.channel.k8s.io');

  assert.equal(await client.closed, 1000, 'after the last of them');
  assert.equal(client.of(1).toString('utf8', 2), 'connect to port 1 of pod p: nobody listens there');
  assert.equal(client.of(2).toString('utf8', 2), 'here');
});

test('without a port there is nothing to forward', async (t) => {
  const { server } = await servedStreams(t);
  const url = await server.offer({ kind: 'portforward', podId: 'p', ports: [] });

  for (const query of ['', '?port=0', '?port=http', '?port=65536']) {
    const client = new WsClient((query === '' ? url : await server.offer({ kind: 'portforward', podId: 'p', ports: [] })) + query, 'v4.channel.k8s.io');
    assert.equal(await client.closed, 1008, query);
  }
});
