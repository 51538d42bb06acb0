/** Tests of the node tier that RUNTIME=runsc leaves out, each for something that gVisor does otherwise by its own design. */
const reasons = {
  orphans: 'a process that was left to the first one of its container cannot be told from others: the node sees only the sandbox, and gVisor signals by pid alone',
  terminalName: 'a terminal of the node\'s that gVisor is handed has no name inside, for which `tty` asks',
  devices: 'the kernel of gVisor has devices of its own and none of the node\'s',
  ownKernel: 'the kernel of gVisor is another one: it has no such file, or shows it otherwise',
  procStatus: 'gVisor\'s /proc/self/status has no line for it',
  capabilities: 'gVisor knows no CAP_PERFMON, CAP_BPF and CAP_CHECKPOINT_RESTORE',
  setuid: 'gVisor gives set-user-ID programs no other user, in releases without the flag --allow-suid',
  masked: 'the files that are masked are ones of the node\'s kernel, which gVisor has not',
  seccompNotify: 'inside a sandbox gVisor applies the rules of a filter, and has no listener for them',
  seccompErrno: 'inside a sandbox gVisor refuses with EPERM, whatever errno a filter names',
  containerLimits: 'gVisor limits the sandbox, by the resources of the pod, and not each container',
  manySandboxes: 'fifty pods are fifty kernels: to undo as many takes longer than the 10 s that a start waits for it',
  changedLimits: 'the limits of a container that runs cannot be changed, which each life in this file does',
  propagation: 'mounts that are made inside are the sandbox\'s own and never show on the node',
  namespaces: 'what shares the sandbox shares its kernel: gVisor has no namespaces of the node and no target to join, and is itself process 1\'s keeper',
  inHostCgroup: 'the processes of a container are no processes of the node, so that it has no cgroup of its own with them in it',
  umask: 'gVisor starts every process with the mask 0022: what the specification says of it is not read (runsc/boot/loader.go, Umask)',
  podFirst: 'the sandbox is a container that is made with the pod, so that a runtime or a monitor which fails does so there and not at the container',
  waiter: 'what waits for the end of a container in a sandbox is a command of the runtime itself (runsc wait), which has to be there still when it is begun',
  sockets: 'gVisor mounts no socket of the node without the flag --host-uds (--fsgofer-host-uds in releases of before 2023), and shows no FIFO without --host-fifo',
  oneMount: 'what is mounted below a volume is part of the one mount that gVisor\'s gofer serves, with its attributes',
  recursiveFlags: 'gVisor does not list the mount option rro among its features',
  frozen: 'every command of gVisor asks the sandbox, and one that is frozen does not answer',
  wholeSandbox: 'the node sees one process for all containers of a pod, and counts and describes that',
} as const;

/** By the file that they are in. */
const tests: Readonly<Record<string, Readonly<Record<string, keyof typeof reasons>>>> = {
  'container-exec': {
    'at its timeout a command is killed with all its children, also those that left its session': 'orphans',
  },
  'sessions': {
    'a terminal has the size that the client says, also over WebSocket': 'terminalName',
    'the output of a terminal is one stream': 'terminalName',
  },
  'container-inside': {
    'without stdin a process reads nothing, and has no other open files of ours': 'ownKernel',
    'mounts made on the node later appear in the container only where propagation says so; those it makes itself come out only with Bidirectional': 'propagation',
    'an ordinary container cannot reach the kernel: masked and read-only paths, no new privileges, seccomp': 'procStatus',
    'a privileged container has all that the daemon has: capabilities, devices, a writable /sys': 'capabilities',
    'a device that was asked for can be used, within its permissions': 'devices',
  },
  'leaks': {
    'a pod in a frozen cgroup: the stop says so and gives its network back; a daemon later, when it is thawed, the rest is done in the background': 'frozen',
  },
  'node-defaults': {
    'limits, mask, capabilities and the most processes are those of the node': 'umask',
    'a command run inside later has the mask of the container': 'umask',
    'sysctls of the node are those of a pod with its own namespaces, and the pod has the last word': 'ownKernel',
    'a runtime that takes longer than its handler may is given up': 'podFirst',
    'a pod of a workload class gets the CPU settings of the class': 'containerLimits',
    'a reload changes what new containers get, and running ones stay as they are': 'umask',
    'a reload with a file that is wrong changes nothing': 'umask',
  },
  'runtime-faults': {
    'a runtime that fails to create is quoted, and the half-made container is gone': 'podFirst',
    'a runtime that fails to start is quoted; the container stays created and can be removed': 'podFirst',
    'a runtime that starts a container and says that it could not: the container runs, and is called running': 'podFirst',
    'without conmon a container is refused, naming the path': 'podFirst',
    'a runtime that is uninstalled while its container runs: status still answers, and it can be stopped': 'waiter',
    'a conmon that ends at once is told, with what it said': 'podFirst',
    'a conmon that lies: nonsense, and a process that is not there': 'podFirst',
    'a conmon that hangs is ended when the handler\'s time is over': 'podFirst',
    'a daemon that is killed while the runtime creates undoes that container at its next start': 'podFirst',
  },
  'user-namespaces': {
    'a handler that cannot map mounts says so in the status and refuses such pods; NODE is the same as nothing': 'namespaces',
  },
  'v1alpha2': {
    'a pod lives its whole life through v1alpha2, and v1 sees the same': 'containerLimits',
  },
  'volumes': {
    'whatever is at a host path can be mounted: a directory, a file, a device, a socket, by whichever symlink': 'sockets',
    'propagation is refused where the mount on the node does not take part': 'propagation',
    'read-only leaves what is mounted below writable, recursively read-only does not': 'oneMount',
    'recursively read-only is refused for a runtime that does not know it, and the status says which do': 'recursiveFlags',
    'noexec, nodev and nosuid hold, alone and with every sort of read-only, on disk and in memory': 'setuid',
    'an image is mounted as a volume: its layers merged, read-only, programs run, under whatever name it is known': 'sockets',
  },
  'container-life': {
    'a container that runs out of memory says so': 'containerLimits',
  },
  'container-privilege': {
    'capabilities are added and dropped by name in any case, with and without CAP_, and ALL': 'capabilities',
    'ambient capabilities are in force for a user who is not root, and only they': 'procStatus',
    'no new privileges means that setuid programs give none': 'procStatus',
    'a seccomp profile of the node is applied, with its own errno': 'seccompErrno',
    'a privileged container needs a pod that was announced as privileged, at the latest with the container': 'devices',
    'a seccomp profile that asks a listener which is not there fails with the runtime\'s words': 'seccompNotify',
    'masked and read-only paths are what the caller says, none with procMount Unmasked': 'masked',
    'privileged has its eight effects': 'capabilities',
  },
  'contract': {
    'changed limits are in the status, and the same change again is the same': 'containerLimits',
  },
  'pod-cgroups': {
    'a container is in the cgroup that was named for its pod, in every hierarchy': 'inHostCgroup',
    'a pod for which none was named gets one of its own, which goes with it': 'inHostCgroup',
  },
  'pod-namespaces': {
    'containers of a pod that shares its PID namespace see each other, and process 1 is the pause program': 'namespaces',
    'a container of a pod in the node\'s PID namespace sees the node\'s processes': 'namespaces',
    'a debug container with a target joins the PID namespace of that container alone': 'namespaces',
    'a target that does not run, or belongs to another pod, is refused': 'namespaces',
    'containers of a pod share its IPC namespace and /dev/shm, and nobody else does': 'namespaces',
    'a pod in the node\'s IPC namespace has the node\'s /dev/shm': 'namespaces',
    'a pod in the node\'s network has the node\'s host name and no address of its own': 'namespaces',
    'sysctls of the pod hold inside and not on the node': 'ownKernel',
  },
  'restart': {
    'the namespaces of pods survive: new containers join old ones': 'namespaces',
  },
  'stats': {
    'memory and processes are counted': 'wholeSandbox',
    'limits that a container is made with are in its cgroup and in its status': 'containerLimits',
    'limits can be changed while it runs: those that are named, and no others': 'containerLimits',
    'limits of a created container can be changed, of an exited one they cannot': 'containerLimits',
    'a verbose status tells what a plain one does not: process, namespaces, configuration; and no secrets': 'wholeSandbox',
  },
};

export const gvisorExceptions: readonly { readonly test: string; readonly why: string }[] = Object.values(tests)
  .flatMap((of) => Object.entries(of)).map(([test, reason]) => ({ test, why: reasons[reason] }));

/** Whole files of the node tier, by what nearly every test in them is about. */
const files: Readonly<Record<string, keyof typeof reasons>> = {
  'devices': 'devices',
  'faults': 'changedLimits',
  'crash': 'manySandboxes',
  'resources': 'containerLimits',
  'retired-handlers': 'changedLimits',
};

export const gvisorFiles: readonly { readonly file: string; readonly why: string }[] = Object.entries(files).map(([name, reason]) => ({ file: `test/node/${name}.test.ts`, why: reasons[reason] }));
