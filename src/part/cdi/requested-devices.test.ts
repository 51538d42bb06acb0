import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isKind, parseDeviceName } from './device-name.ts';
import { requestedDevices } from './requested-devices.ts';

const names = (CDIDevices: readonly string[], annotations: Record<string, string> = {}): string[] =>
  requestedDevices({ CDIDevices: CDIDevices.map((name) => ({ name })), annotations }).map(({ name }) => name);

test('devices come from the field, then from annotations by key, each once', () => {
  const annotations = { 'cdi.k8s.io/z': 'v.com/c=z', 'cdi.k8s.io/a': 'v.com/c=2,v.com/c=1', 'other.io/cdi.k8s.io/x': 'nonsense' };

  assert.deepEqual(names(['v.com/c=1', 'v.com/c=1'], annotations), ['v.com/c=1', 'v.com/c=2', 'v.com/c=z']);
  assert.deepEqual(names([]), []);
});

test('names have vendor, class and device', () => {
  for (const name of ['v/c=d', 'nvidia.com/gpu=GPU-7b:1.0', 'V_1.com/a-b.c_d=0', 'a/b=0:0']) assert.deepEqual(names([name]), [name]);
});

for (const name of ['', 'd', 'c=d', 'v/c', 'v/c=', '/c=d', 'v/=d', '1v/c=d', 'v/c/e=d', 'v/c=d,e', 'v/c=d/../e', 'v/c=-d', 'v/c=d-', `${'v'.repeat(254)}/c=d`, `v/${'c'.repeat(64)}=d`, 'v/c=d\n', '/dev/kmsg']) {
  test(`refused: ${JSON.stringify(name).slice(0, 40)}`, () => {
    const shown = JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
    assert.throws(() => names([name]), { kind: 'invalid-argument', message: `check config.CDI_devices[0].name: ${shown} is no name of a CDI device such as vendor.com/class=device` });
  });
}

test('a name in an annotation is refused by its key', () => {
  assert.throws(() => names([], { 'cdi.k8s.io/a': 'v/c=d, v/c=e' }), { kind: 'invalid-argument', message: 'check config.annotations[cdi.k8s.io/a]: " v/c=e" is no name of a CDI device such as vendor.com/class=device' });
  assert.throws(() => names([], { 'cdi.k8s.io/a': '' }), { message: /config\.annotations\[cdi\.k8s\.io\/a\]: "" is no name/ });
});

test('whatever is asked for is refused by its field, or is a name whose parts are well-formed', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-z.]{0,4}\/?[a-z_-]{0,3}=?[a-z0-9:]{0,3}$/), fc.constantFrom('a/b=c', 'a/b=c\0', '\ud800/b=c', 'a/b=c=d', 'a/b=..'));

  fc.assert(fc.property(text, (name) => {
    try {
      const [device] = names([name]);
      assert.equal(device, name);
      assert.ok(isKind(parseDeviceName(name)!.kind) && !/[^-\w.:]|\.\.\//.test(parseDeviceName(name)!.device));
    } catch (error) {
      assert.match((error as Error).message, /^check config\.CDI_devices\[0\]\.name: /);
    }
  }));
});
