/** Boots the virtual machine for one command. It has no network, and what it writes to its disk is thrown away. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { VmImage } from './build-image.ts';
import { kernelParameters } from './recipe.ts';

export const memoryMiB = 2048;
/** An emulated machine is up after 10 s; beside much other work it takes minutes. */
const bootDeadlineMs = 240_000;

export interface VmCommand {
  readonly image: VmImage;
  /** Is at the same path inside, read-only, and the working directory. */
  readonly checkout: string;
  /** For `sh`. What it writes to files in /run/control comes back in `files`. */
  readonly script: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly onOutput: (text: string) => void;
  /** Files to bring back from /run/control. */
  readonly bring: readonly string[];
}

export interface VmResult {
  /** Undefined when the command did not come to its end: see `trouble`. */
  readonly exitCode: number | undefined;
  /** Why there is no exit code: the deadline, the abort, or a machine that did not boot, with the end of its console. */
  readonly trouble: string | undefined;
  /** True when that was a deadline: the machine is too slow, or something in it hangs. */
  readonly late: boolean;
  /** False when the machine did not come so far as to begin the command. */
  readonly started: boolean;
  /** Name and text of those that the command made. */
  readonly files: ReadonlyMap<string, string>;
}

/** Runs it with the processor's help where that works, else emulated. Never throws for what happens inside; leaves nothing. */
export async function runInVm(command: VmCommand): Promise<VmResult> {
  if (hardwareHelps()) {
    const result = await boot(command, ['-accel', 'kvm', '-cpu', 'host'], 30_000);
    if (result.exitCode !== undefined || result.started || command.signal.aborted) return result;
    command.onOutput('the machine does not boot with KVM: emulating it\n');
  }
  return boot(command, ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max,la57=off'], bootDeadlineMs);
}

/** There is a /dev/kvm that starts and never boots: on a processor that does not show its virtualization. */
function hardwareHelps(): boolean {
  return existsSync('/dev/kvm') && /^flags\s.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
}

async function boot(command: VmCommand, processor: readonly string[], bootMs: number): Promise<VmResult> {
  const control = await mkdtemp(path.join(os.tmpdir(), 'vm-'));
  try {
    await writeFile(path.join(control, 'command.sh'), command.script);
    await writeFile(path.join(control, 'checkout'), command.checkout);
    const { ended, late } = await runQemu(command, [...processor, ...machine(command, control)], control, bootMs);
    const started = existsSync(path.join(control, 'started'));
    const files = new Map<string, string>();
    for (const name of command.bring) {
      const text = await textOf(path.join(control, name));
      if (text !== undefined) files.set(name, text);
    }
    const exitCode = await textOf(path.join(control, 'exit-code'));
    if (exitCode !== undefined) return { exitCode: Number(exitCode), trouble: undefined, late: false, files, started };
    const console = (await textOf(path.join(control, 'console')) ?? '').split('\n').slice(-25).join('\n');
    return { exitCode: undefined, trouble: `${ended}; the end of its console:\n${console}`, late, files, started };
  } finally {
    await rm(control, { recursive: true, force: true });
  }
}

function machine({ image, checkout }: VmCommand, control: string): string[] {
  const share = (id: string, folder: string, options = ''): string[] => [
    '-fsdev', `local,id=${id},path=${folder.replaceAll(',', ',,')},security_model=none,multidevs=remap${options}`,
    '-device', `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ];
  return [
    '-machine', 'pc,usb=off', '-m', String(memoryMiB), '-smp', '2', '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-nic', 'none',
    '-kernel', image.kernel, '-initrd', image.initialRamDisk,
    '-append', `console=ttyS0 quiet loglevel=4 panic=-1 nokaslr mitigations=off no_timer_check random.trust_cpu=on audit=0 rcupdate.rcu_expedited=1 ${kernelParameters[image.securityModule]}`,
    '-drive', `file=${image.disk},format=raw,if=none,id=disk,snapshot=on,cache=unsafe`, '-device', 'virtio-blk-pci,drive=disk',
    ...share('control', control), ...share('checkout', checkout, ',readonly=on'),
    '-object', 'rng-random,id=random,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=random',
    '-chardev', `file,id=console,path=${path.join(control, 'console')}`, '-serial', 'chardev:console',
    '-device', 'virtio-serial-pci', '-chardev', 'stdio,id=output,signal=off', '-device', 'virtserialport,chardev=output,name=output',
  ];
}

/** Runs qemu to its end, forced at a deadline; says how it ended, and whether a deadline ended it. It dies with this process, however that ends. */
async function runQemu({ deadlineMs, signal, onOutput }: VmCommand, args: readonly string[], control: string, bootMs: number): Promise<{ ended: string; late: boolean }> {
  if (signal.aborted) return { ended: 'the machine was not started', late: false };
  let [ended, late] = ['the machine ended by itself', false];
  // Its standard input stays open: closed, nothing that the machine writes would come out.
  const qemu = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const end = (why: string): void => {
    ended = why;
    qemu.kill('SIGKILL');
  };
  const interrupt = (): void => end('the machine was ended');
  const endLate = (why: string): void => {
    late = true;
    end(why);
  };
  const timers = [
    setTimeout(() => endLate(`the command had not ended after ${deadlineMs / 1000} s`), deadlineMs),
    setTimeout(() => existsSync(path.join(control, 'started')) || endLate(`the machine had not booted after ${bootMs / 1000} s`), bootMs),
  ];
  signal.addEventListener('abort', interrupt);
  let complaint = '';
  qemu.stdout.setEncoding('utf8').on('data', onOutput);
  qemu.stderr.setEncoding('utf8').on('data', (text: string) => { complaint += text; });
  qemu.stdin.on('error', () => {}); // nothing is written to it
  try {
    await once(qemu, 'close');
  } catch (error) {
    return { ended: `qemu cannot be started: ${(error as Error).message}`, late: false };
  } finally {
    timers.forEach((timer) => clearTimeout(timer));
    signal.removeEventListener('abort', interrupt);
  }
  return { ended: complaint.trim() === '' ? ended : `${ended} (qemu: ${complaint.trim()})`, late };
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}
