import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CniStatus } from '../../part/cni/network.ts';
import type { Probed } from '../../part/oci/probe-cache.ts';
import { handlersReady, handlerTroubles } from './handlers-ready.ts';

const able: Probed = { version: 'odd version 1', idmappedMounts: false, recursiveReadOnly: false, checkpoint: false };
const noNetwork: CniStatus = { ready: false, message: 'there is no valid network configuration in /etc/cni/odd.d', network: undefined, skipped: [] };
const crashing = process.execPath; // there, whatever it was asked

for (const [what, handler, isBuiltIn, expected] of [
  ['one that runs', { path: crashing, probed: able, network: undefined }, false, []],
  ['one that crashes', { path: crashing, probed: { error: 'it ended by signal 11' }, network: undefined }, false, ['odd: it ended by signal 11']],
  ['one that is missing', { path: '/nowhere/odd', probed: { error: 'no program /nowhere/odd' }, network: undefined }, false, ['odd: no program /nowhere/odd']],
  ['one that nobody asked for and that is missing', { path: '/nowhere/odd', probed: { error: 'no program /nowhere/odd' }, network: undefined }, true, []],
  ['one that nobody asked for and that crashes', { path: crashing, probed: { error: 'it ended by signal 11' }, network: undefined }, true, ['odd: it ended by signal 11']],
  ['one without its network', { path: crashing, probed: able, network: noNetwork }, false, ['odd: there is no valid network configuration in /etc/cni/odd.d']],
] as const) {
  test(`the status speaks of handlers that take their own pods down: ${what}`, async () => {
    const { path, ...asked } = handler;
    const standard = { runtime: { name: 'crun', path: '/nowhere/crun' }, probed: { error: 'RuntimeReady tells that' }, network: undefined };

    const troubles = await handlerTroubles({ handlers: [standard, { runtime: { name: 'odd', path }, ...asked }], standard: standard.runtime, isBuiltIn: () => isBuiltIn });

    assert.deepEqual(troubles, expected);
  });
}

test('the condition is there only where there is trouble', () => {
  assert.deepEqual(handlersReady([]), []);
  assert.deepEqual(handlersReady(['kata: gone', 'odd: crashed']), [{ type: 'RuntimeHandlersReady', status: false, reason: 'HandlerCannotRun', message: 'kata: gone; odd: crashed' }]);
});
