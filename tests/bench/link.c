/* A link between two network namespaces that holds packets: `link PID DELAY_US BITS_PER_SECOND QUEUE_BYTES`.
   One TUN device is here, 10.77.0.1, the other in the namespace of process PID, 10.77.0.2. Each direction sends its
   packets one after the other at that rate, drops what would wait behind more than QUEUE_BYTES, and delivers a packet
   DELAY_US after its last bit has gone out. Prints a line when the link is up. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MTU = 1500, SLOTS = 1 << 15, BATCH = 64 };

struct packet { uint64_t due; uint16_t length; uint8_t bytes[MTU]; };
struct direction { int from, to; uint64_t free; uint32_t head, tail; struct packet *held; };

static void stop(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + at.tv_nsec;
}

static int device(const char *address) {
    struct ifreq wish = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    struct sockaddr_in *place = (struct sockaddr_in *)&wish.ifr_addr;
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK), control = socket(AF_INET, SOCK_DGRAM, 0);
    if (tun < 0 || control < 0) stop("/dev/net/tun");
    strcpy(wish.ifr_name, "link0");
    if (ioctl(tun, TUNSETIFF, &wish)) stop("TUNSETIFF");
    place->sin_family = AF_INET;
    place->sin_addr.s_addr = inet_addr(address);
    if (ioctl(control, SIOCSIFADDR, &wish)) stop("SIOCSIFADDR");
    place->sin_addr.s_addr = inet_addr("255.255.255.0");
    if (ioctl(control, SIOCSIFNETMASK, &wish)) stop("SIOCSIFNETMASK");
    wish.ifr_mtu = MTU;
    if (ioctl(control, SIOCSIFMTU, &wish)) stop("SIOCSIFMTU");
    wish.ifr_qlen = 10000;
    if (ioctl(control, SIOCSIFTXQLEN, &wish)) stop("SIOCSIFTXQLEN");
    wish.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(control, SIOCSIFFLAGS, &wish)) stop("SIOCSIFFLAGS");
    close(control);
    return tun;
}

static int device_of(const char *process, const char *address) {
    char path[64];
    int here = open("/proc/self/ns/net", O_RDONLY), there, tun;
    snprintf(path, sizeof path, "/proc/%s/ns/net", process);
    there = open(path, O_RDONLY);
    if (here < 0 || there < 0 || setns(there, CLONE_NEWNET)) stop(path);
    tun = device(address);
    if (setns(here, CLONE_NEWNET)) stop("setns");
    close(here);
    close(there);
    return tun;
}

static void take(struct direction *way, uint64_t delay, double nanoseconds_per_byte, double queue) {
    for (int count = 0; count < BATCH && way->tail - way->head < SLOTS; count++) {
        struct packet *packet = &way->held[way->tail % SLOTS];
        ssize_t length = read(way->from, packet->bytes, MTU);
        uint64_t at = now();
        if (length <= 0) return;
        if (way->free < at) way->free = at;
        if ((way->free - at) > queue * nanoseconds_per_byte) continue;
        way->free += length * nanoseconds_per_byte;
        packet->length = length;
        packet->due = way->free + delay;
        way->tail++;
    }
}

static void give(struct direction *way) {
    while (way->head != way->tail) {
        struct packet *packet = &way->held[way->head % SLOTS];
        if (packet->due > now()) return;
        if (write(way->to, packet->bytes, packet->length) < 0 && errno == EAGAIN) return;
        way->head++;
    }
}

int main(int count, char **words) {
    if (count != 5) return 2;
    uint64_t delay = strtoull(words[2], NULL, 10) * 1000;
    double nanoseconds_per_byte = 8e9 / atof(words[3]), queue = atof(words[4]);
    int here = device("10.77.0.1"), there = device_of(words[1], "10.77.0.2");
    struct direction ways[2] = {{.from = here, .to = there}, {.from = there, .to = here}};
    for (int n = 0; n < 2; n++)
        if (!(ways[n].held = calloc(SLOTS, sizeof(struct packet)))) stop("calloc");
    prctl(PR_SET_TIMERSLACK, 1);
    puts("up");
    fflush(stdout);
    for (;;) {
        struct pollfd ready[2];
        uint64_t next = UINT64_MAX, at = now();
        for (int n = 0; n < 2; n++) {
            struct direction *way = &ways[n];
            ready[n] = (struct pollfd){.fd = way->from, .events = way->tail - way->head < SLOTS ? POLLIN : 0};
            if (way->head != way->tail && way->held[way->head % SLOTS].due < next) next = way->held[way->head % SLOTS].due;
        }
        uint64_t left = next == UINT64_MAX ? 1000000000u : next > at ? next - at : 0;
        struct timespec wait = {left / 1000000000u, left % 1000000000u};
        if (ppoll(ready, 2, &wait, NULL) < 0 && errno != EINTR) stop("ppoll");
        for (int n = 0; n < 2; n++) {
            take(&ways[n], delay, nanoseconds_per_byte, queue);
            give(&ways[n]);
        }
    }
}
