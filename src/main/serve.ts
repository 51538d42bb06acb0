/** `gantry serve`: the daemon from its first instruction to its last. */
import { loadConfig } from '../base/config/load.ts';
import type { ConfigSources } from '../base/config/load.ts';
import type { Config } from '../base/config/schema.ts';
import { failure } from '../base/errors.ts';
import { faultsStarted } from '../base/faults.ts';
import { createLogWriter, streamSink } from '../base/log-writer.ts';
import type { LogStream } from '../base/log-writer.ts';
import type { Logger } from '../base/log.ts';
import type { Engine } from '../engine/engine.ts';
import { openNotifier } from '../host/notify.ts';
import { claim } from './claim.ts';
import { keepCompiledCode } from './compiled-code.ts';
import { armFromEnvironment } from './fault-setting.ts';
import { logSettings } from './log-settings.ts';
import { startMemoryReturn } from './memory-return.ts';
import { reloader } from './reload.ts';
import { watchSignals } from './signals.ts';
import { startWatchdog } from './watchdog.ts';

/** An engine with its life: what `build-engine.ts` makes. */
export interface RunningEngine {
  readonly engine: Engine;
  close(): Promise<void>;
  /** Applies a configuration that differs only in settings that apply live; when it throws, nothing has changed. */
  reload(next: Config): Promise<void> | void;
}

/** What the daemon is made of. A parameter, so that a test can run it with an engine of its own. */
export interface ServeParts {
  buildEngine(config: Config, log: Logger): Promise<RunningEngine>;
  serveFaces(request: { socketPath: string; dockerSocketPath: string; engine: Engine; streaming: Config['streaming']; log: Logger; runtimeVersion: string; maxMessageBytes: number }): Promise<{
    /** Takes no more calls and resolves when those in flight are answered, or broken off after the grace. */
    close(graceMs: number): Promise<void>;
  }>;
}

export interface ServeRequest {
  readonly sources: ConfigSources;
  readonly version: string;
  /** Where the log goes. */
  readonly output: LogStream & { readonly isTTY?: boolean };
  /** Loads the parts: after the configuration and the locks, so that a refused start costs little. */
  parts(): Promise<ServeParts>;
}

/** How long calls in flight are waited for at a stop, and how long the whole of stopping may take, in milliseconds. */
const callGraceMs = 5000;
const stopDeadlineMs = 15_000;

/**
 * Runs the daemon until SIGTERM or SIGINT; containers go on running after it. Resolves with the exit code: 0 after an
 * orderly stop, 1 when it could not start or stop (the log says why). invalid-argument when the configuration is wrong.
 */
export async function serve({ sources, version, output, parts }: ServeRequest): Promise<number> {
  const signals = watchSignals();
  const loaded = await loadConfig(sources);
  const { config } = loaded;
  const settings = (wanted: Config['log']) => logSettings(wanted, sources.environment, output.isTTY === true);
  const { log, set: setLog } = createLogWriter(streamSink(output), settings(config.log));
  diesLoudly(log, output);
  process.umask(0o022); // modes of what is made must not depend on who started us

  const undo = new AsyncDisposableStack(); // stopping is the start backwards
  undo.use(signals);
  try {
    for (const warning of loaded.warnings) log.warn(warning);
    log.info('starting', { version, pid: process.pid, config: loaded.files });
    const notifier = undo.use(openNotifier(sources.environment, log));
    undo.use(claim(config));
    armFromEnvironment(config, sources.environment, log);

    const keepCompiled = keepCompiledCode(config.root, log);
    const { buildEngine, serveFaces } = await parts();
    const running = await buildEngine(config, log);
    const { engine } = running;
    undo.defer(() => running.close());
    const faces = await serveFaces({ socketPath: config.socket, dockerSocketPath: config.dockerApi.socket, engine, streaming: config.streaming, log, runtimeVersion: version, maxMessageBytes: config.grpc.maxMessageBytes });
    undo.defer(() => faces.close(callGraceMs));

    signals.onReload(reloader(loaded, {
      sources, log, notifier,
      async apply(next) {
        await running.reload(next);
        setLog(settings(next.log));
      },
    }));
    undo.use(startWatchdog(notifier, () => engine.node.status(false), log));
    undo.use(startMemoryReturn(log));
    faultsStarted();
    notifier.ready(`ready on ${config.socket}`);
    log.info('ready', { socket: config.socket, startMs: Math.round(performance.now()) });
    keepCompiled();

    const signal = await signals.stopped;
    notifier.stopping(`${signal}: stopping, containers keep running`);
    log.info('stopping, containers keep running', { signal });
    await within(stopDeadlineMs, undo.disposeAsync());
    log.info('stopped');
    return 0;
  } catch (error) {
    log.error('gantry serve ends', { error });
    await within(stopDeadlineMs, undo.disposeAsync()).catch((error: unknown) => log.error('cleaning up failed', { error }));
    return 1;
  }
}

/** What nobody caught is a fault of ours: it is logged with its stack and ends the process, as its state is unknown from here on. */
function diesLoudly(log: Logger, output: LogStream): void {
  process.on('uncaughtException', (error: unknown, origin) => {
    log.error('gantry serve dies of a fault of its own', { origin, error, stack: error instanceof Error ? error.stack : undefined });
    output.write('', () => process.exit(1)); // when all that was logged is out, but not later than in a second
    setTimeout(() => process.exit(1), 1000);
  });
}

/** Waits for `work`, but not longer than the deadline: deadline-exceeded. */
async function within(deadlineMs: number, work: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(failure('deadline-exceeded', { act: 'stop', why: `not done after ${deadlineMs} ms` })), deadlineMs);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
