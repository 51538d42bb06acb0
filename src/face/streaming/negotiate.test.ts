import assert from 'node:assert/strict';
import { test } from 'node:test';
import { negotiate } from './negotiate.ts';
import type { Agreed, Refusal } from './negotiate.ts';
import type { Admitted } from './tickets.ts';

type Kind = Admitted['kind'];
const spdy = (kind: Kind, offers?: string) => negotiate({ headers: { upgrade: 'SPDY/3.1', ...(offers === undefined ? {} : { 'x-stream-protocol-version': offers }) } }, kind);
const webSocket = (kind: Kind, offers?: string) => negotiate({ headers: { upgrade: 'WebSocket', ...(offers === undefined ? {} : { 'sec-websocket-protocol': offers }) } }, kind);

const rows: readonly [Agreed | Refusal, Agreed][] = [
  [spdy('exec', 'v4.channel.k8s.io,v3.channel.k8s.io,v2.channel.k8s.io,channel.k8s.io'), { by: 'spdy', command: 'v4.channel.k8s.io' }],
  [spdy('attach', 'v5.channel.k8s.io, v2.channel.k8s.io'), { by: 'spdy', command: 'v2.channel.k8s.io' }],
  [spdy('exec'), { by: 'spdy', command: 'channel.k8s.io' }],
  [spdy('portforward', 'portforward.k8s.io'), { by: 'spdy', ports: true }],
  [spdy('portforward'), { by: 'spdy', ports: true }],
  [webSocket('exec', 'v5.channel.k8s.io'), { by: 'websocket', command: 'v5.channel.k8s.io' }],
  [webSocket('attach', 'base64.channel.k8s.io, v4.channel.k8s.io'), { by: 'websocket', command: 'base64.channel.k8s.io' }],
  [webSocket('exec'), { by: 'websocket', command: 'channel.k8s.io' }],
  [webSocket('portforward', 'SPDY/3.1+portforward.k8s.io'), { by: 'tunnel' }],
  [webSocket('portforward', 'v4.base64.channel.k8s.io'), { by: 'websocket', ports: 'v4.base64.channel.k8s.io' }],
  [webSocket('portforward'), { by: 'websocket', ports: 'v4.channel.k8s.io' }],
];

test("the client's first offer that is spoken here is agreed on; without an offer it is what there was before there were names", () => {
  for (const [agreed, expected] of rows) assert.deepEqual(agreed, expected);
});

test('what is not spoken here is refused with what is', () => {
  const command = 'v4.channel.k8s.io, v3.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io';

  assert.deepEqual(spdy('exec', 'v9.channel.k8s.io, portforward.k8s.io'), { status: 403, why: `none of the protocols v9.channel.k8s.io, portforward.k8s.io is spoken here, only ${command}` });
  assert.deepEqual(spdy('portforward', 'v4.channel.k8s.io'), { status: 403, why: 'none of the protocols v4.channel.k8s.io is spoken here, only portforward.k8s.io' });
  assert.deepEqual(webSocket('exec', 'v3.channel.k8s.io'), {
    status: 403, why: 'none of the protocols v3.channel.k8s.io is spoken here, only v5.channel.k8s.io, v4.channel.k8s.io, v4.base64.channel.k8s.io, channel.k8s.io, base64.channel.k8s.io',
  });
  assert.deepEqual(webSocket('portforward', 'portforward.k8s.io'), {
    status: 403, why: 'none of the protocols portforward.k8s.io is spoken here, only SPDY/3.1+portforward.k8s.io, v4.channel.k8s.io, v4.base64.channel.k8s.io',
  });
  assert.deepEqual(negotiate({ headers: { upgrade: 'h2c' } }, 'exec'), { status: 400, why: 'upgrade to "h2c" is not possible, only to SPDY/3.1 or websocket' });
});
