import type { SeccompProfile, SeccompRule } from './seccomp-profile.ts';

/**
 * The filter of RuntimeDefault: whatever ordinary programs call is allowed, everything else answers EPERM. It means the same as the default filters of
 * Docker and containerd, so that a workload finds here what it had there; grouped by what the calls are for. Names that an
 * architecture, a kernel or a libseccomp does not have are skipped by the runtime.
 */

const ENOSYS = 38;

const files = [
  'access', 'chdir', 'chmod', 'chown', 'chown32', 'close', 'close_range', 'copy_file_range', 'creat', 'dup', 'dup2', 'dup3', 'faccessat', 'faccessat2',
  'fadvise64', 'fadvise64_64', 'fallocate', 'fchdir', 'fchmod', 'fchmodat', 'fchmodat2', 'fchown', 'fchown32', 'fchownat', 'fcntl', 'fcntl64', 'fdatasync',
  'flock', 'fstat', 'fstat64', 'fstatat64', 'fstatfs', 'fstatfs64', 'fsync', 'ftruncate', 'ftruncate64', 'futimesat', 'getcwd', 'getdents', 'getdents64',
  'ioctl', 'lchown', 'lchown32', 'link', 'linkat', 'listmount', '_llseek', 'lseek', 'lstat', 'lstat64', 'mkdir', 'mkdirat', 'mknod', 'mknodat',
  'name_to_handle_at', 'newfstatat', 'open', 'openat', 'openat2', 'pipe', 'pipe2', 'pread64', 'preadv', 'preadv2', 'pwrite64', 'pwritev', 'pwritev2', 'read',
  'readahead', 'readlink', 'readlinkat', 'readv', 'rename', 'renameat', 'renameat2', 'rmdir', 'sendfile', 'sendfile64', 'splice', 'stat', 'stat64', 'statfs',
  'statfs64', 'statmount', 'statx', 'symlink', 'symlinkat', 'sync', 'sync_file_range', 'syncfs', 'tee', 'truncate', 'truncate64', 'umask', 'unlink',
  'unlinkat', 'utime', 'utimensat', 'utimensat_time64', 'utimes', 'vmsplice', 'write', 'writev',
];

const extendedAttributes = [
  'fgetxattr', 'flistxattr', 'fremovexattr', 'fsetxattr', 'getxattr', 'getxattrat', 'lgetxattr', 'listxattr', 'listxattrat', 'llistxattr',
  'lremovexattr', 'lsetxattr', 'removexattr', 'removexattrat', 'setxattr', 'setxattrat',
];

const waitingForEvents = [
  'epoll_create', 'epoll_create1', 'epoll_ctl', 'epoll_ctl_old', 'epoll_pwait', 'epoll_pwait2', 'epoll_wait', 'epoll_wait_old', 'eventfd', 'eventfd2',
  'fanotify_mark', 'inotify_add_watch', 'inotify_init', 'inotify_init1', 'inotify_rm_watch', '_newselect', 'poll', 'ppoll', 'ppoll_time64', 'pselect6',
  'pselect6_time64', 'select',
];

const asynchronousIo = [
  'io_cancel', 'io_destroy', 'io_getevents', 'io_pgetevents', 'io_pgetevents_time64', 'io_setup', 'io_submit', 'ioprio_get', 'ioprio_set',
];

const memory = [
  'brk', 'cachestat', 'madvise', 'map_shadow_stack', 'membarrier', 'memfd_create', 'memfd_secret', 'mincore', 'mlock', 'mlock2', 'mlockall', 'mmap', 'mmap2',
  'mprotect', 'mremap', 'mseal', 'msync', 'munlock', 'munlockall', 'munmap', 'pkey_alloc', 'pkey_free', 'pkey_mprotect', 'process_mrelease', 'remap_file_pages',
];

const processes = [
  'execve', 'execveat', 'exit', 'exit_group', 'fork', 'get_robust_list', 'get_thread_area', 'getcpu', 'getpgid', 'getpgrp', 'getpid', 'getppid',
  'getpriority', 'getrlimit', 'getrusage', 'getsid', 'gettid', 'pidfd_open', 'pidfd_send_signal', 'prctl', 'prlimit64', 'rseq', 'sched_get_priority_max',
  'sched_get_priority_min', 'sched_getaffinity', 'sched_getattr', 'sched_getparam', 'sched_getscheduler', 'sched_rr_get_interval',
  'sched_rr_get_interval_time64', 'sched_setaffinity', 'sched_setattr', 'sched_setparam', 'sched_setscheduler', 'sched_yield', 'set_robust_list',
  'set_thread_area', 'set_tid_address', 'setpgid', 'setpriority', 'setrlimit', 'setsid', 'times', 'ugetrlimit', 'uretprobe', 'vfork', 'wait4', 'waitid', 'waitpid',
];

const identities = [
  'capget', 'capset', 'getegid', 'getegid32', 'geteuid', 'geteuid32', 'getgid', 'getgid32', 'getgroups', 'getgroups32', 'getresgid', 'getresgid32', 'getresuid',
  'getresuid32', 'getuid', 'getuid32', 'setfsgid', 'setfsgid32', 'setfsuid', 'setfsuid32', 'setgid', 'setgid32', 'setgroups', 'setgroups32', 'setregid',
  'setregid32', 'setresgid', 'setresgid32', 'setresuid', 'setresuid32', 'setreuid', 'setreuid32', 'setuid', 'setuid32',
];

const signals = [
  'kill', 'pause', 'restart_syscall', 'rt_sigaction', 'rt_sigpending', 'rt_sigprocmask', 'rt_sigqueueinfo', 'rt_sigreturn', 'rt_sigsuspend',
  'rt_sigtimedwait', 'rt_sigtimedwait_time64', 'rt_tgsigqueueinfo', 'sigaltstack', 'signalfd', 'signalfd4', 'sigprocmask', 'sigreturn', 'tgkill', 'tkill',
];

const locks = ['futex', 'futex_requeue', 'futex_time64', 'futex_wait', 'futex_waitv', 'futex_wake'];

const time = [
  'adjtimex', 'alarm', 'clock_adjtime', 'clock_adjtime64', 'clock_getres', 'clock_getres_time64', 'clock_gettime', 'clock_gettime64', 'clock_nanosleep',
  'clock_nanosleep_time64', 'getitimer', 'gettimeofday', 'nanosleep', 'setitimer', 'time', 'timer_create', 'timer_delete', 'timer_getoverrun',
  'timer_gettime', 'timer_gettime64', 'timer_settime', 'timer_settime64', 'timerfd_create', 'timerfd_gettime', 'timerfd_gettime64', 'timerfd_settime',
  'timerfd_settime64',
];

// On architectures where sockets go through socketcall, it cannot be told apart by address family.
const network = [
  'accept', 'accept4', 'bind', 'connect', 'getpeername', 'getsockname', 'getsockopt', 'listen', 'recv', 'recvfrom', 'recvmmsg', 'recvmmsg_time64', 'recvmsg',
  'send', 'sendmmsg', 'sendmsg', 'sendto', 'setsockopt', 'shutdown', 'socketcall', 'socketpair',
];

const systemVAndPosixIpc = [
  'ipc', 'mq_getsetattr', 'mq_notify', 'mq_open', 'mq_timedreceive', 'mq_timedreceive_time64', 'mq_timedsend', 'mq_timedsend_time64', 'mq_unlink', 'msgctl',
  'msgget', 'msgrcv', 'msgsnd', 'semctl', 'semget', 'semop', 'semtimedop', 'semtimedop_time64', 'shmat', 'shmctl', 'shmdt', 'shmget',
];

const confiningOneself = ['landlock_add_rule', 'landlock_create_ruleset', 'landlock_restrict_self', 'seccomp'];

const theMachine = ['getrandom', 'sysinfo', 'uname'];

const allow = (names: readonly string[], more: Omit<SeccompRule, 'names' | 'action'> = {}): SeccompRule => ({ names, action: 'SCMP_ACT_ALLOW', ...more });
const whereFirstArgument = (op: string, value: bigint, valueTwo?: bigint): Pick<SeccompRule, 'args'> => ({
  args: [{ index: 0, value, ...(valueTwo === undefined ? {} : { valueTwo }), op: `SCMP_CMP_${op}` }],
});

// Not AF_ALG (38) and not AF_VSOCK (40): the one is attack surface of the kernel, the other reaches the hypervisor past every network policy.
// Three rules, because conditions on one argument within a rule are not a conjunction in all runtimes.
const sockets = [
  allow(['socket'], whereFirstArgument('LT', 38n)),
  allow(['socket'], whereFirstArgument('EQ', 39n)),
  allow(['socket'], whereFirstArgument('GT', 40n)),
];

// Linux, its 32-bit personality, each also with 2.6 in uname, and the question what it is.
const personalities = [0x0n, 0x8n, 0x20000n, 0x20008n, 0xffff_ffffn].map((persona) => allow(['personality'], whereFirstArgument('EQ', persona)));

const ofArchitectures = [
  allow(['sync_file_range2', 'swapcontext'], { includes: { arches: ['ppc64le'] } }),
  allow(['arm_fadvise64_64', 'arm_sync_file_range', 'sync_file_range2', 'breakpoint', 'cacheflush', 'set_tls'], { includes: { arches: ['arm', 'arm64'] } }),
  allow(['arch_prctl'], { includes: { arches: ['amd64'] } }),
  allow(['modify_ldt'], { includes: { arches: ['amd64', '386'] } }),
  allow(['s390_pci_mmio_read', 's390_pci_mmio_write', 's390_runtime_instr'], { includes: { arches: ['s390x'] } }),
  allow(['riscv_flush_icache', 'riscv_hwprobe'], { includes: { arches: ['riscv64'] } }),
];

// Before 4.8 a traced process could get round its filter.
const tracing = allow(['process_vm_readv', 'process_vm_writev', 'ptrace'], { includes: { minKernel: '4.8' } });

const ofCapabilities = [
  allow(['open_by_handle_at'], { includes: { caps: ['CAP_DAC_READ_SEARCH'] } }),
  allow(
    [
      'bpf', 'clone', 'clone3', 'fanotify_init', 'fsconfig', 'fsmount', 'fsopen', 'fspick', 'lookup_dcookie', 'lsm_get_self_attr',
      'lsm_list_modules', 'lsm_set_self_attr', 'mount', 'mount_setattr', 'move_mount', 'open_tree',
      'perf_event_open', 'quotactl', 'quotactl_fd', 'setdomainname', 'sethostname', 'setns', 'syslog', 'umount', 'umount2', 'unshare',
    ],
    { includes: { caps: ['CAP_SYS_ADMIN'] } },
  ),
  allow(['reboot'], { includes: { caps: ['CAP_SYS_BOOT'] } }),
  allow(['chroot'], { includes: { caps: ['CAP_SYS_CHROOT'] } }),
  allow(['delete_module', 'init_module', 'finit_module'], { includes: { caps: ['CAP_SYS_MODULE'] } }),
  allow(['acct'], { includes: { caps: ['CAP_SYS_PACCT'] } }),
  allow(['kcmp', 'pidfd_getfd', 'process_madvise', 'process_vm_readv', 'process_vm_writev', 'ptrace'], { includes: { caps: ['CAP_SYS_PTRACE'] } }),
  allow(['iopl', 'ioperm'], { includes: { caps: ['CAP_SYS_RAWIO'] } }),
  allow(['settimeofday', 'stime', 'clock_settime', 'clock_settime64'], { includes: { caps: ['CAP_SYS_TIME'] } }),
  allow(['vhangup'], { includes: { caps: ['CAP_SYS_TTY_CONFIG'] } }),
  allow(['get_mempolicy', 'mbind', 'set_mempolicy', 'set_mempolicy_home_node'], { includes: { caps: ['CAP_SYS_NICE'] } }),
  allow(['syslog'], { includes: { caps: ['CAP_SYSLOG'] } }),
  allow(['bpf'], { includes: { caps: ['CAP_BPF'] } }),
  allow(['perf_event_open'], { includes: { caps: ['CAP_PERFMON'] } }),
];

// Threads and processes, but no new namespaces (CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET), without CAP_SYS_ADMIN. The flags of
// clone3 are in memory, where a filter can't look: it answers ENOSYS, after which every C library uses clone.
const namespaceFlags = 0x7e02_0000n;
const newProcesses = [
  allow(['clone'], { ...whereFirstArgument('MASKED_EQ', namespaceFlags, 0n), excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390x'] } }),
  allow(['clone'], {
    args: [{ index: 1, value: namespaceFlags, valueTwo: 0n, op: 'SCMP_CMP_MASKED_EQ' }], // s390x has the two first arguments swapped
    includes: { arches: ['s390x'] },
    excludes: { caps: ['CAP_SYS_ADMIN'] },
  }),
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, excludes: { caps: ['CAP_SYS_ADMIN'] } },
];

export const defaultSeccompProfile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    { architecture: 'SCMP_ARCH_PPC64LE', subArchitectures: [] },
    { architecture: 'SCMP_ARCH_S390X', subArchitectures: ['SCMP_ARCH_S390'] },
    { architecture: 'SCMP_ARCH_RISCV64', subArchitectures: [] },
    { architecture: 'SCMP_ARCH_LOONGARCH64', subArchitectures: [] },
  ],
  syscalls: [
    allow([
      ...files, ...extendedAttributes, ...waitingForEvents, ...asynchronousIo, ...memory, ...processes, ...identities, ...signals, ...locks, ...time,
      ...network, ...systemVAndPosixIpc, ...confiningOneself, ...theMachine,
    ]),
    ...sockets,
    ...personalities,
    tracing,
    ...ofArchitectures,
    ...ofCapabilities,
    ...newProcesses,
  ],
};
