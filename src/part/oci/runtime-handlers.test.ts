import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { OciRuntime } from './oci-runtime.ts';
import { RuntimeHandlers } from './runtime-handlers.ts';

const runtime = (name: string): OciRuntime => new OciRuntime({ name, path: `/nowhere/${name}`, stateRoot: `/run/x/${name}`, systemdCgroup: false, log: silentLogger });

test('the empty name is the default handler', () => {
  const handlers = new RuntimeHandlers([runtime('crun'), runtime('runc')], 'runc');

  assert.equal(handlers.get('').name, 'runc');
  assert.equal(handlers.get('crun').name, 'crun');
});

test('an unknown handler is refused with the known ones', () => {
  const handlers = new RuntimeHandlers([runtime('crun'), runtime('runc')], 'crun');

  assert.throws(() => handlers.get('kata'), { kind: 'invalid-argument', message: 'find runtime handler "kata": known are crun, runc' });
});

test('a default that is no handler is refused at once', () => {
  assert.throws(() => new RuntimeHandlers([runtime('crun')], 'runc'), { kind: 'invalid-argument', message: 'find runtime handler "runc": known are crun' });
});

test('a handler whose program is missing fails only when it is used', async () => {
  const handlers = new RuntimeHandlers([runtime('crun')], 'crun');

  await assert.rejects(handlers.get('').start('c1'), { kind: 'failed-precondition', message: "start container c1: runtime handler crun: no program /nowhere/crun; install it or correct the handler's path" });
});

test('a handler that a reload took away is offered to nobody, and goes on with what it has made', () => {
  const handlers = new RuntimeHandlers([runtime('crun'), runtime('kata')], 'crun');
  const kata = handlers.get('kata');

  handlers.replace(new RuntimeHandlers([runtime('crun')], 'crun'));
  handlers.replace(new RuntimeHandlers([runtime('crun'), runtime('youki')], 'youki'));

  assert.equal(handlers.of('kata'), kata);
  assert.throws(() => handlers.get('kata'), { kind: 'invalid-argument', message: 'find runtime handler "kata": known are crun, youki' });
  assert.deepEqual(handlers.all().map(({ name }) => name), ['crun', 'youki']);
});

test('a handler that comes back is the one of the configuration', () => {
  const handlers = new RuntimeHandlers([runtime('crun')], 'crun', [runtime('kata')]);
  const back = runtime('kata');

  handlers.replace(new RuntimeHandlers([runtime('crun'), back], 'crun'));

  assert.equal(handlers.of('kata'), back);
  assert.equal(handlers.get('kata'), back);
});

test('a handler that nobody remembers is a refusal that says what to do', () => {
  const handlers = new RuntimeHandlers([runtime('crun')], 'crun');

  assert.equal(handlers.find('kata'), undefined);
  assert.throws(() => handlers.of('kata'), { kind: 'failed-precondition', message: 'find runtime handler "kata": it was taken out of the configuration: put [runtime.handlers.kata] back, or remove what it runs' });
});

test('a guess gives way to what became known, and one that a reload has replaced does not come back', () => {
  const [guess, known, other] = [runtime('kata'), runtime('kata'), runtime('kata')];
  const handlers = new RuntimeHandlers([runtime('crun'), guess], 'crun');

  handlers.settle(guess, known);
  assert.equal(handlers.get('kata'), known);
  handlers.replace(new RuntimeHandlers([runtime('crun'), other], 'crun'));
  handlers.settle(known, guess);

  assert.equal(handlers.get('kata'), other);
});

test('a pod is not made with a guess: it waits for what becomes known, and no longer than it has patience', async () => {
  const [guess, known] = [new OciRuntime({ name: 'kata', path: '/nowhere/kata', stateRoot: '/run/x/kata', systemdCgroup: false, isGuess: true, log: silentLogger }), runtime('kata')];
  const handlers = new RuntimeHandlers([runtime('crun'), guess], 'crun');
  assert.equal((await handlers.known('')).name, 'crun');
  await assert.rejects(handlers.known('kata', 1), { kind: 'unavailable', message: 'use runtime handler kata: /nowhere/kata does not answer --version, so that it is not known which runtime it is' });

  const waiting = handlers.known('kata');
  handlers.settle(guess, known);

  assert.equal(await waiting, known);
});
