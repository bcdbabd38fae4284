/*
 * What packetdrill loads as the stack under test: every call becomes a message on a Unix socket to the program that runs the
 * stack, and waits for the answer. Compiled against the header of the checkout that the user names.
 *
 * A request is a length, an operation, and its arguments; an answer is a length, a result, an errno and data. All numbers are
 * 64-bit in the machine's order. Each thread has a connection of its own, because packetdrill makes blocking calls from
 * a second one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "packetdrill.h"

enum operation {
	OP_SOCKET = 1, OP_BIND, OP_LISTEN, OP_ACCEPT, OP_CONNECT, OP_READ, OP_WRITE, OP_FCNTL, OP_IOCTL, OP_CLOSE, OP_SHUTDOWN,
	OP_GETSOCKOPT, OP_SETSOCKOPT, OP_POLL, OP_SEND_PACKET, OP_RECEIVE_PACKET, OP_SLEEP, OP_TIME,
};

#define MOST (1 << 20)
#define MOST_DESCRIPTORS 4096

/* Descriptors that stand for a socket of the stack. */
static char ours[MOST_DESCRIPTORS];

static const char *path;
static __thread int connection = -1;
static __thread char request[MOST];
static __thread char answer[MOST];
static __thread size_t request_length;
static __thread int64_t answer_length;

static void fail(const char *what)
{
	fprintf(stderr, "shim: %s: %s\n", what, strerror(errno));
	exit(3);
}

static void begin(enum operation operation)
{
	int64_t word = operation;
	request_length = 8;
	memcpy(request + request_length, &word, 8);
	request_length += 8;
}

static void number(int64_t value)
{
	memcpy(request + request_length, &value, 8);
	request_length += 8;
}

static void bytes(const void *data, size_t length)
{
	if (request_length + 8 + length > MOST)
		fail("a request is too long");
	number(length);
	if (length > 0)
		memcpy(request + request_length, data, length);
	request_length += length;
}

static void transfer(ssize_t (*move)(int, char *, size_t), char *data, size_t length)
{
	while (length > 0) {
		ssize_t moved = move(connection, data, length);
		if (moved < 0 && errno == EINTR)
			continue;
		if (moved <= 0)
			fail("the stack's program is gone");
		data += moved;
		length -= moved;
	}
}

static ssize_t put(int fd, char *data, size_t length) { return write(fd, data, length); }
static ssize_t get(int fd, char *data, size_t length) { return read(fd, data, length); }

/* Sends the request and waits for its answer; the result, with errno set when it is negative. */
static int64_t finish(void)
{
	int64_t header[3];
	if (connection < 0) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
		connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof(address)) < 0)
			fail(path);
	}
	header[0] = request_length - 8;
	memcpy(request, header, 8);
	transfer(put, request, request_length);
	transfer(get, (char *)header, sizeof(header));
	answer_length = header[0] - 16;
	if (answer_length < 0 || answer_length > MOST)
		fail("an answer is malformed");
	transfer(get, answer, answer_length);
	errno = header[2];
	return header[1];
}

static void store(void *into, size_t room)
{
	if (into != NULL)
		memcpy(into, answer, (size_t)answer_length < room ? (size_t)answer_length : room);
}

static void store_address(int64_t skip, struct sockaddr *address, socklen_t *length)
{
	if (address == NULL || length == NULL)
		return;
	socklen_t given = answer_length > skip ? answer_length - skip : 0;
	memcpy(address, answer + skip, given < *length ? given : *length);
	*length = given;
}

/*
 * Each socket has a descriptor of this process as its number, of nothing: packetdrill closes those that a script leaves open by
 * itself, and would otherwise close something else.
 */
static int placeholder(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0 || fd >= MOST_DESCRIPTORS)
		fail("/dev/null");
	ours[fd] = 1;
	return fd;
}

/* The result of a call that makes a socket of the number given to it: that, or nothing. */
static int made(int fd)
{
	int result = finish(), error = errno;
	if (result < 0) {
		ours[fd] = 0;
		close(fd);
		errno = error;
	}
	return result;
}

static int do_socket(void *u, int domain, int type, int protocol)
{
	int fd = placeholder();
	begin(OP_SOCKET); number(fd); number(domain); number(type); number(protocol);
	return made(fd);
}

static int do_bind(void *u, int fd, const struct sockaddr *address, socklen_t length)
{
	begin(OP_BIND); number(fd); bytes(address, length);
	return finish();
}

static int do_listen(void *u, int fd, int backlog)
{
	begin(OP_LISTEN); number(fd); number(backlog);
	return finish();
}

static int do_accept(void *u, int fd, struct sockaddr *address, socklen_t *length)
{
	int accepted = placeholder();
	begin(OP_ACCEPT); number(fd); number(accepted);
	int result = made(accepted);
	if (result >= 0)
		store_address(0, address, length);
	return result;
}

static int do_connect(void *u, int fd, const struct sockaddr *address, socklen_t length)
{
	begin(OP_CONNECT); number(fd); bytes(address, length);
	return finish();
}

static ssize_t receive(int fd, void *into, size_t room, int flags)
{
	begin(OP_READ); number(fd); number(room); number(flags);
	ssize_t result = finish();
	if (result > 0)
		store(into, result);
	return result;
}

static ssize_t do_read(void *u, int fd, void *into, size_t room) { return receive(fd, into, room, 0); }
static ssize_t do_recv(void *u, int fd, void *into, size_t room, int flags) { return receive(fd, into, room, flags); }

static ssize_t do_recvfrom(void *u, int fd, void *into, size_t room, int flags, struct sockaddr *address, socklen_t *length)
{
	ssize_t result = receive(fd, into, room, flags);
	if (result >= 0)
		store_address(result, address, length);
	return result;
}

static ssize_t scatter(int fd, const struct iovec *vectors, int count, int flags)
{
	size_t room = 0;
	for (int i = 0; i < count; i++)
		room += vectors[i].iov_len;
	begin(OP_READ); number(fd); number(room); number(flags);
	ssize_t result = finish();
	size_t at = 0;
	for (int i = 0; i < count && result > 0 && at < (size_t)result; i++) {
		size_t left = result - at, part = left < vectors[i].iov_len ? left : vectors[i].iov_len;
		memcpy(vectors[i].iov_base, answer + at, part);
		at += part;
	}
	return result;
}

static ssize_t do_readv(void *u, int fd, const struct iovec *vectors, int count) { return scatter(fd, vectors, count, 0); }

static ssize_t do_recvmsg(void *u, int fd, struct msghdr *message, int flags)
{
	message->msg_controllen = 0;
	message->msg_flags = 0;
	return scatter(fd, message->msg_iov, message->msg_iovlen, flags);
}

static ssize_t transmit(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
	begin(OP_WRITE); number(fd); number(flags); bytes(to, to == NULL ? 0 : to_length); bytes(data, length);
	return finish();
}

static ssize_t gather(int fd, const struct iovec *vectors, int count, int flags, const struct sockaddr *to, socklen_t to_length)
{
	static __thread char joined[MOST];
	size_t length = 0;
	for (int i = 0; i < count; i++) {
		if (length + vectors[i].iov_len > MOST - 256)
			fail("a write is too long");
		memcpy(joined + length, vectors[i].iov_base, vectors[i].iov_len);
		length += vectors[i].iov_len;
	}
	return transmit(fd, joined, length, flags, to, to_length);
}

static ssize_t do_write(void *u, int fd, const void *data, size_t length) { return transmit(fd, data, length, 0, NULL, 0); }
static ssize_t do_writev(void *u, int fd, const struct iovec *vectors, int count) { return gather(fd, vectors, count, 0, NULL, 0); }
static ssize_t do_send(void *u, int fd, const void *data, size_t length, int flags) { return transmit(fd, data, length, flags, NULL, 0); }

static ssize_t do_sendto(void *u, int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
	return transmit(fd, data, length, flags, to, to_length);
}

static ssize_t do_sendmsg(void *u, int fd, const struct msghdr *message, int flags)
{
	return gather(fd, message->msg_iov, message->msg_iovlen, flags, message->msg_name, message->msg_namelen);
}

static int do_fcntl(void *u, int fd, int command, ...)
{
	va_list arguments;
	va_start(arguments, command);
	long value = command == F_SETFL || command == F_SETFD ? va_arg(arguments, long) : 0;
	va_end(arguments);
	begin(OP_FCNTL); number(fd); number(command); number((int)value);
	return finish();
}

static int do_ioctl(void *u, int fd, unsigned long code, ...)
{
	va_list arguments;
	va_start(arguments, code);
	int *value = va_arg(arguments, int *);
	va_end(arguments);
	begin(OP_IOCTL); number(fd); number(code);
	int result = finish();
	if (result >= 0)
		store(value, sizeof(*value));
	return result;
}

static int do_close(void *u, int fd)
{
	begin(OP_CLOSE); number(fd);
	int result = finish(), error = errno;
	ours[fd] = 0;
	close(fd);
	errno = error;
	return result;
}

static int do_shutdown(void *u, int fd, int how)
{
	begin(OP_SHUTDOWN); number(fd); number(how);
	return finish();
}

static int do_getsockopt(void *u, int fd, int level, int name, void *value, socklen_t *length)
{
	begin(OP_GETSOCKOPT); number(fd); number(level); number(name); number(*length);
	int result = finish();
	if (result >= 0) {
		store(value, *length);
		if ((socklen_t)answer_length < *length)
			*length = answer_length;
	}
	return result;
}

/*
 * In the place of the C library's, for which this object has to be preloaded too: the checks that a script writes in Python ask for
 * TCP_INFO past the interface.
 */
int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	if (fd >= 0 && fd < MOST_DESCRIPTORS && ours[fd])
		return do_getsockopt(NULL, fd, level, name, value, length);
	return syscall(SYS_getsockopt, fd, level, name, value, length);
}

static int do_setsockopt(void *u, int fd, int level, int name, const void *value, socklen_t length)
{
	begin(OP_SETSOCKOPT); number(fd); number(level); number(name); bytes(value, length);
	return finish();
}

static int do_poll(void *u, struct pollfd *fds, nfds_t count, int timeout)
{
	begin(OP_POLL); number(timeout); number(count);
	for (nfds_t i = 0; i < count; i++) {
		number(fds[i].fd);
		number(fds[i].events);
	}
	int result = finish();
	for (nfds_t i = 0; i < count && result >= 0; i++) {
		int64_t events = 0;
		memcpy(&events, answer + 8 * i, 8);
		fds[i].revents = events;
	}
	return result;
}

static int do_netdev_send(void *u, const void *packet, size_t length)
{
	begin(OP_SEND_PACKET); bytes(packet, length);
	return finish();
}

static int do_netdev_receive(void *u, void *into, size_t *length, long long *microseconds)
{
	begin(OP_RECEIVE_PACKET);
	int64_t time = finish();
	store(into, *length);
	*length = answer_length;
	*microseconds = time;
	return 0;
}

static int do_usleep(void *u, useconds_t microseconds)
{
	begin(OP_SLEEP); number(microseconds);
	return finish();
}

static int do_gettimeofday(void *u, struct timeval *value, struct timezone *zone)
{
	begin(OP_TIME);
	int64_t time = finish();
	value->tv_sec = time / 1000000;
	value->tv_usec = time % 1000000;
	return 0;
}

static int absent(void)
{
	errno = ENOSYS;
	return -1;
}

static int do_epoll_create(void *u, int size) { return absent(); }
static int do_epoll_ctl(void *u, int epoll, int operation, int fd, struct epoll_event *event) { return absent(); }
static int do_epoll_wait(void *u, int epoll, struct epoll_event *events, int most, int timeout) { return absent(); }
static int do_pipe(void *u, int fds[2]) { return absent(); }
static int do_splice(void *u, int in, loff_t *in_at, int out, loff_t *out_at, size_t length, unsigned int flags) { return absent(); }
static void do_free(void *u) {}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface)
{
	path = strdup(flags);
	*interface = (struct packetdrill_interface) {
		.free = do_free, .socket = do_socket, .bind = do_bind, .listen = do_listen, .accept = do_accept,
		.connect = do_connect, .read = do_read, .readv = do_readv, .recv = do_recv, .recvfrom = do_recvfrom,
		.recvmsg = do_recvmsg, .write = do_write, .writev = do_writev, .send = do_send, .sendto = do_sendto,
		.sendmsg = do_sendmsg, .fcntl = do_fcntl, .ioctl = do_ioctl, .close = do_close, .shutdown = do_shutdown,
		.getsockopt = do_getsockopt, .setsockopt = do_setsockopt, .poll = do_poll, .netdev_send = do_netdev_send,
		.netdev_receive = do_netdev_receive, .usleep = do_usleep, .gettimeofday = do_gettimeofday,
		.epoll_create = do_epoll_create, .epoll_ctl = do_epoll_ctl, .epoll_wait = do_epoll_wait, .pipe = do_pipe,
		.splice = do_splice,
	};
}
