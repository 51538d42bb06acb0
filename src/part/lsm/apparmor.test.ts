import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { builtInProfile, builtInProfileText } from './apparmor-default-profile.ts';
import { AppArmor } from './apparmor.ts';

/** A kernel with one profile, and a parser that notes each text and loads its profile, or does what `fault` says. */
function bed(t: TestContext, fault?: string): { profilesFile: string; parser: string; texts: () => string } {
  const dir = mkdtempSync(join(tmpdir(), 'gantry-apparmor-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const [profilesFile, parser, texts] = [join(dir, 'profiles'), join(dir, 'parser'), join(dir, 'texts')];
  writeFileSync(profilesFile, 'shop (enforce)\nold//child (complain)\n');
  writeFileSync(parser, `#!/bin/sh\ncat >> ${texts}\n${fault ?? `echo '${builtInProfile} (enforce)' >> ${profilesFile}`}\n`);
  chmodSync(parser, 0o755);
  return { profilesFile, parser, texts: () => (existsSync(texts) ? readFileSync(texts, 'utf8') : '') };
}

const timesLoaded = (texts: string): number => texts.split(`profile ${builtInProfile} `).length - 1;

test('the built-in profile is loaded when it is first needed, once for all who need it at the same time, and again after it was unloaded', async (t) => {
  const { profilesFile, parser, texts } = bed(t);
  const apparmor = new AppArmor({ defaultProfile: undefined, profilesFile, parser });

  assert.deepEqual(await Promise.all([apparmor.defaultProfile(), apparmor.defaultProfile()]), [builtInProfile, builtInProfile]);
  assert.equal(await apparmor.defaultProfile(), builtInProfile);
  assert.equal(timesLoaded(texts()), 1);

  writeFileSync(profilesFile, 'shop (enforce)\n');
  assert.equal(await apparmor.defaultProfile(), builtInProfile);
  assert.equal(timesLoaded(texts()), 2);
});

test('a daemon loads the profile anew even if an older one left it loaded', async (t) => {
  const { profilesFile, parser, texts } = bed(t);
  writeFileSync(profilesFile, `${builtInProfile} (enforce)\n`);

  await new AppArmor({ defaultProfile: undefined, profilesFile, parser }).defaultProfile();

  assert.equal(timesLoaded(texts()), 1);
});

test('a profile that the parser refuses is an error with the parser\'s words, never an unconfined container', async (t) => {
  const { profilesFile, parser } = bed(t, 'echo "syntax error in line 3" >&2; exit 2');

  await assert.rejects(new AppArmor({ defaultProfile: undefined, profilesFile, parser }).defaultProfile(), {
    kind: 'failed-precondition',
    message: `load AppArmor profile ${builtInProfile}: ${parser} ended with 2: syntax error in line 3`,
  });
});

test('without a parser there is no default profile, and the start says so', async (t) => {
  const { profilesFile } = bed(t);
  const apparmor = new AppArmor({ defaultProfile: undefined, profilesFile, parser: undefined });

  assert.equal(await apparmor.defaultProfile(), undefined);
  assert.match(apparmor.shortcoming() ?? '', /install the package apparmor/);
});

test('a configured default profile is used as it is, and must be loaded', async (t) => {
  const { profilesFile, parser, texts } = bed(t);

  assert.equal(await new AppArmor({ defaultProfile: 'shop', profilesFile, parser }).defaultProfile(), 'shop');
  assert.equal(texts(), '');
  await assert.rejects(new AppArmor({ defaultProfile: 'shoe', profilesFile, parser }).defaultProfile(), {
    kind: 'failed-precondition',
    message: 'confine with AppArmor profile shoe: it is not loaded; load it with apparmor_parser, or correct security.apparmor_default_profile',
  });
});

test('the names of loaded profiles come without their mode', async (t) => {
  const { profilesFile, parser } = bed(t);

  assert.deepEqual([...(await new AppArmor({ defaultProfile: undefined, profilesFile, parser }).loaded())], ['shop', 'old//child']);
});

/** Whether a path is denied some access, as AppArmor reads the patterns: `*` stops at a slash, `**` does not. */
function denies(path: string, access: string): boolean {
  return [...builtInProfileText('unconfined').matchAll(/deny "([^"]+)" (\w+),/g)].some(([, pattern = '', denied = '']) => {
    const expression = pattern.replaceAll('{,/**}', '(/D)?').replaceAll('**', 'D').replaceAll('*', '[^/]*').replaceAll('D', '.*');
    return denied.includes(access) && new RegExp(`^${expression}$`).test(path);
  });
}

test('the built-in profile denies the kernel\'s settings, and leaves what is the container\'s own', () => {
  for (const path of [
    '/proc/sysrq-trigger', '/proc/kcore', '/proc/acpi/wakeup', '/proc/irq/7/smp_affinity', '/proc/sysvipc/shm', '/proc/scsi/scsi', '/proc/sys/vm/panic_on_oom',
    '/proc/sys/net/ipv4/ip_forward', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/kernel/sysrq', '/proc/sys/kernel/sem', '/proc/sys/kexec',
    '/sys/kernel/uevent_helper', '/sys/module/x/parameters/y', '/sys/fs/selinux/enforce', '/sys/fs/bpf/x', '/sys/firmware/efi/vars', '/sys/devices/system/cpu/cpu1/online',
  ]) assert.ok(denies(path, 'w'), path);
  for (const path of ['/proc/1/oom_score_adj', '/proc/4711/task/4711/comm', '/proc/sys/kernel/shmmax', '/proc/sys/kernel/shm_rmid_forced', '/sys/fs/cgroup/a/cgroup.procs', '/etc/passwd', '/process/a']) {
    assert.ok(!denies(path, 'w'), path);
  }
  assert.ok(denies('/sys/firmware/acpi/tables/DSDT', 'r') && denies('/proc/kcore', 'r') && !denies('/proc/cpuinfo', 'r'));
});

test('the built-in profile lets the signals of the daemon\'s own profile through', () => {
  assert.match(builtInProfileText('site-runtimes'), /signal \(receive\) peer="site-runtimes",/);
  assert.match(builtInProfileText('unconfined'), /deny mount,/);
});
