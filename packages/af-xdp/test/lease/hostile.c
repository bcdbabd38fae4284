// A process that was given a queue and wants more. It loads none of our code: it makes system calls on what it inherited, and prints
// for each what came of it: an errno, 0 where it was allowed, or the signal.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SOCKET = 3, STATUS = 4, REGION = 5 };

static sigjmp_buf escape;

static void on_fault(int signal) { siglongjmp(escape, signal); }

static void report(const char *what, long result) { printf("%s %d\n", what, result < 0 ? errno : 0); }

static long bpf(int command, union bpf_attr *attributes) { return syscall(SYS_bpf, command, attributes, sizeof *attributes); }

static void *map_ring(off_t page, size_t length) {
  return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, SOCKET, page);
}

// Descriptors outside of its memory, and garbage where frames are asked for.
static void attack_rings(uint32_t size, uint64_t umem) {
  struct xdp_mmap_offsets at;
  socklen_t length = sizeof at;
  if (getsockopt(SOCKET, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) < 0) {
    report("offsets", -1);
    return;
  }
  char *tx = map_ring(XDP_PGOFF_TX_RING, at.tx.desc + size * sizeof(struct xdp_desc));
  char *fill = map_ring(XDP_UMEM_PGOFF_FILL_RING, at.fr.desc + size * 8);
  struct xdp_desc *descriptors = (struct xdp_desc *)(tx + at.tx.desc);
  const uint64_t addresses[] = {umem, umem + 4096, 1ull << 40, ~0ull, umem - 8, 0};
  const uint32_t lengths[] = {64, 64, 64, 64, 64, 1u << 20};
  for (int i = 0; i < 6; i++) descriptors[i] = (struct xdp_desc){.addr = addresses[i], .len = lengths[i]};
  __atomic_store_n((uint32_t *)(tx + at.tx.producer), 6, __ATOMIC_SEQ_CST);
  for (int i = 0; i < 8; i++) sendto(SOCKET, NULL, 0, MSG_DONTWAIT, NULL, 0);
  printf("consumed %u\n", __atomic_load_n((uint32_t *)(tx + at.tx.consumer), __ATOMIC_SEQ_CST));
  for (uint32_t i = 0; i < size; i++) ((uint64_t *)(fill + at.fr.desc))[i] = umem + i * 4096;
  __atomic_store_n((uint32_t *)(fill + at.fr.producer), size, __ATOMIC_SEQ_CST);
  // The rings' indices are anybody's guess from here on.
  __atomic_store_n((uint32_t *)(tx + at.tx.producer), 0x7fffffff, __ATOMIC_SEQ_CST);
  sendto(SOCKET, NULL, 0, MSG_DONTWAIT, NULL, 0);
}

static void attack_memory(long bytes) {
  report("shrink", ftruncate(REGION, 0));
  report("grow", ftruncate(REGION, bytes + (1 << 20)));
  report("seal", fcntl(REGION, F_ADD_SEALS, F_SEAL_WRITE));
  report("shrink-status", ftruncate(STATUS, 0));
  // It can lie to itself, and lose its own pages. Whoever reads them elsewhere finds zeros.
  char *status = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, STATUS, 1 << 16);
  for (int i = 0; i < 15; i++) ((double *)status)[i] = i % 2 ? 0.0 / 0.0 : -1e300;
  char *beyond = mmap(NULL, bytes + (1 << 20), PROT_READ | PROT_WRITE, MAP_SHARED, REGION, 0);
  signal(SIGBUS, on_fault);
  int fault = sigsetjmp(escape, 1);
  if (fault == 0) beyond[bytes + 4096] = 1;
  printf("touch-beyond %d\n", fault);
}

static void attack_device(const char *interface, int queue) {
  struct sockaddr_xdp address = {.sxdp_family = AF_XDP, .sxdp_ifindex = if_nametoindex(interface), .sxdp_queue_id = queue};
  report("bind-again", bind(SOCKET, (struct sockaddr *)&address, sizeof address));
  struct xdp_umem_reg umem = {.addr = (uint64_t)(uintptr_t)aligned_alloc(4096, 1 << 16), .len = 1 << 16, .chunk_size = 2048};
  report("another-umem", setsockopt(SOCKET, SOL_XDP, XDP_UMEM_REG, &umem, sizeof umem));
  report("another-socket", socket(AF_XDP, SOCK_RAW, 0));
  report("raw-socket", socket(AF_PACKET, SOCK_RAW, 0));
  struct bpf_insn pass[] = {{.code = 0xb7, .imm = 2}, {.code = 0x95}};
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_XDP, .insn_cnt = 2, .insns = (uintptr_t)pass, .license = (uintptr_t) "GPL"};
  report("load-program", bpf(BPF_PROG_LOAD, &load));
  union bpf_attr next = {.start_id = 0};
  report("find-map", bpf(BPF_MAP_GET_NEXT_ID, &next));
  // Whatever it guesses: of the descriptors that it has none is a map, and none a program.
  int key = queue, value = SOCKET, maps = 0, programs = 0;
  for (int fd = 0; fd < 64; fd++) {
    union bpf_attr update = {.map_fd = fd, .key = (uintptr_t)&key, .value = (uintptr_t)&value};
    if (bpf(BPF_MAP_UPDATE_ELEM, &update) < 0) maps++;
    union bpf_attr link = {.link_create = {.prog_fd = fd, .target_ifindex = address.sxdp_ifindex, .attach_type = BPF_XDP}};
    if (bpf(BPF_LINK_CREATE, &link) < 0) programs++;
  }
  printf("maps-refused %d\nprograms-refused %d\n", maps, programs);
  struct ifreq request = {0};
  strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  report("interface-down", ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request));
}

static void attack_process(const char *who, pid_t pid) {
  char name[64], path[64], bytes[8];
  struct iovec here = {bytes, sizeof bytes}, there = {(void *)0x1000, sizeof bytes};
#define NAME(what) (snprintf(name, sizeof name, "%s-%s", what, who), name)
  report(NAME("kill"), kill(pid, SIGKILL));
  report(NAME("trace"), ptrace(PTRACE_ATTACH, pid, 0, 0));
  report(NAME("read"), process_vm_readv(pid, &here, 1, &there, 1, 0));
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  report(NAME("open-memory"), open(path, O_RDWR));
  snprintf(path, sizeof path, "/proc/%d/fd/0", pid);
  report(NAME("open-descriptor"), open(path, O_RDWR));
  int handle = syscall(SYS_pidfd_open, pid, 0);
  report(NAME("take-descriptor"), syscall(SYS_pidfd_getfd, handle, 0, 0));
}

int main(int count, char **words) {
  if (count < 9) return 2;
  const char *interface = words[1], *secret = words[6];
  const int other = atoi(words[2]), ring = atoi(words[3]);
  const long umem = atol(words[4]), region = atol(words[5]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  attack_device(interface, other);
  report("become-root", setresuid(0, 0, 0));
  report("become-root-group", setresgid(0, 0, 0));
  report("join-groups", setgroups(1, (gid_t[]){0}));
  report("start-process", fork());
  report("open-image", open(secret, O_RDWR));
  report("open-disks", open("/dev/loop-control", O_RDWR));
  attack_process("control", atoi(words[7]));
  attack_process("sibling", atoi(words[8]));
  attack_memory(region);
  attack_rings(ring, umem);
  puts("done");
  pause();
}
