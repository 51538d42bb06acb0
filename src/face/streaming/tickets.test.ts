import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ticketLifeMs, Tickets } from './tickets.ts';
import type { Admitted } from './tickets.ts';

const forward: Admitted = { kind: 'portforward', podId: 'p', ports: [] };
const exec: Admitted = { kind: 'exec', containerId: 'c', command: ['sh'], stdin: true, stdout: true, stderr: false, tty: true };

test('a ticket admits once, to what it was issued for', () => {
  const tickets = new Tickets({ most: 10 });

  const path = tickets.issue(exec);

  assert.match(path, /^exec\/[\w-]{22}$/);
  assert.equal(tickets.redeem(`/${path.replace('exec', 'attach')}`), undefined);
  assert.equal(tickets.redeem(`/${path.slice(0, -1)}`), undefined);
  assert.equal(tickets.redeem(`/${path}?port=1`), exec);
  assert.equal(tickets.redeem(`/${path}`), undefined);
});

test('no two tickets are alike', () => {
  const tickets = new Tickets({ most: 1000 });

  assert.equal(new Set(Array.from({ length: 1000 }, () => tickets.issue(forward))).size, 1000);
});

test('a ticket that nobody used within a minute is none any more', () => {
  let now = 0;
  const tickets = new Tickets({ most: 10, now: () => now });
  const early = tickets.issue(forward);
  now = ticketLifeMs / 2;
  const late = tickets.issue(forward);

  now = ticketLifeMs;
  assert.equal(tickets.knows(`/${early}`), false);
  assert.equal(tickets.redeem(`/${early}`), undefined);
  assert.equal(tickets.waiting, 1);
  assert.equal(tickets.redeem(`/${late}`), forward);
});

test('tickets and sessions have one limit; what expired or ended makes room', () => {
  let now = 0;
  const tickets = new Tickets({ most: 2, now: () => now });
  tickets.redeem(tickets.issue(forward));
  tickets.issue(forward);

  const why = '1 go on and 1 are about to, which is all that streaming.max_sessions allows; end some or try again in a minute';
  assert.throws(() => tickets.issue(forward), { kind: 'resource-exhausted', message: `open stream session: ${why}` });
  now = ticketLifeMs;
  tickets.issue(forward);
  assert.throws(() => tickets.issue(forward), { kind: 'resource-exhausted' });
  tickets.giveBack();
  tickets.issue(forward);
});

test('ten thousand tickets that nobody uses leave nothing behind', () => {
  let now = 0;
  const tickets = new Tickets({ most: 1000, now: () => now });

  for (let i = 0; i < 10_000; i++) {
    tickets.issue(forward);
    now += ticketLifeMs / 900;
  }
  assert.ok(tickets.waiting <= 900);
  now += ticketLifeMs;
  assert.equal(tickets.waiting, 0);
});
