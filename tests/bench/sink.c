/* A storage SCP that answers and throws away: `sink PORT [ADDRESS]`, one process for each association, TCP_NODELAY
   set; on loopback where no address is given.
   It grants every context with its first transfer syntax and answers each data set with success (PS3.8 9.3, PS3.7 9.3.1). */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAXIMUM_PDU = 131072, ROOM = 1 << 20 };
static uint8_t in[ROOM], out[ROOM];

static uint32_t big32(const uint8_t *at) { return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }
static uint16_t big16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static void put32(uint8_t *at, uint32_t value) { at[0] = value >> 24; at[1] = value >> 16; at[2] = value >> 8; at[3] = value; }
static void put16(uint8_t *at, uint16_t value) { at[0] = value >> 8; at[1] = value; }

static void take(int peer, uint8_t *to, size_t count) {
    while (count) {
        ssize_t got = recv(peer, to, count, 0);
        if (got <= 0) exit(0);
        to += got;
        count -= got;
    }
}

static void give(int peer, size_t count) {
    for (uint8_t *at = out; count;) {
        ssize_t sent = send(peer, at, count, 0);
        if (sent <= 0) exit(0);
        at += sent;
        count -= sent;
    }
}

static void accept_association(int peer, uint32_t length) {
    size_t end = 74;
    memset(out, 0, 8);
    memcpy(out + 6, in, 68);
    for (uint32_t at = 68; at + 4 <= length; at += 4 + big16(in + at + 2)) {
        uint16_t size = big16(in + at + 2);
        if (in[at] == 0x10) {
            memcpy(out + end, in + at, 4 + size);
            end += 4 + size;
        } else if (in[at] == 0x20) {
            for (uint32_t sub = at + 8; sub < at + 4u + size; sub += 4 + big16(in + sub + 2)) {
                if (in[sub] != 0x40) continue;
                uint16_t name = 4 + big16(in + sub + 2);
                uint8_t head[8] = {0x21, 0, 0, 0, in[at + 4], 0, 0, 0};
                put16(head + 2, 4 + name);
                memcpy(out + end, head, 8);
                memcpy(out + end + 8, in + sub, name);
                end += 8 + name;
                break;
            }
        }
    }
    uint8_t user[] = {0x50, 0, 0, 17, 0x51, 0, 0, 4, 0, 0, 0, 0, 0x52, 0, 0, 5, '1', '.', '2', '.', '3'};
    put32(user + 8, MAXIMUM_PDU);
    memcpy(out + end, user, sizeof user);
    end += sizeof user;
    out[0] = 2;
    out[1] = 0;
    put32(out + 2, end - 6);
    give(peer, end);
}

static uint16_t message_id(const uint8_t *command, uint32_t length) {
    for (uint32_t at = 0; at + 10 <= length;) {
        uint16_t element = command[at + 2] | command[at + 3] << 8;
        if (element == 0x0110) return command[at + 8] | command[at + 9] << 8;
        at += 8 + (command[at + 4] | command[at + 5] << 8 | command[at + 6] << 16);
    }
    return 0;
}

static void answer(int peer, uint8_t context, uint16_t id) {
    uint8_t body[] = {
        0, 0, 0x00, 0x00, 4, 0, 0, 0, 40, 0, 0, 0,      /* group length */
        0, 0, 0x00, 0x01, 2, 0, 0, 0, 0x01, 0x80,       /* C-STORE-RSP */
        0, 0, 0x20, 0x01, 2, 0, 0, 0, id, id >> 8,      /* message id being responded to */
        0, 0, 0x00, 0x08, 2, 0, 0, 0, 0x01, 0x01,       /* no data set */
        0, 0, 0x00, 0x09, 2, 0, 0, 0, 0x00, 0x00};      /* success */
    out[0] = 4;
    out[1] = 0;
    put32(out + 2, sizeof body + 6);
    put32(out + 6, sizeof body + 2);
    out[10] = context;
    out[11] = 3;
    memcpy(out + 12, body, sizeof body);
    give(peer, 12 + sizeof body);
}

static void serve(int peer) {
    uint16_t id = 0;
    for (;;) {
        take(peer, in, 6);
        uint8_t kind = in[0];
        uint32_t length = big32(in + 2);
        if (length > ROOM) exit(1);
        take(peer, in, length);
        if (kind == 1) accept_association(peer, length);
        if (kind == 5) {
            memcpy(out, "\6\0\0\0\0\4\0\0\0\0", 10);
            give(peer, 10);
        }
        if (kind == 5 || kind == 7) exit(0);
        if (kind != 4) continue;
        for (uint32_t at = 0; at + 6 <= length; at += 4 + big32(in + at)) {
            uint8_t control = in[at + 5];
            if (control & 1) id = message_id(in + at + 6, big32(in + at) - 2);
            else if (control & 2) answer(peer, in[at + 4], id);
        }
    }
}

int main(int count, char **words) {
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 0)};
    here.sin_addr.s_addr = count > 2 ? inet_addr(words[2]) : htonl(INADDR_LOOPBACK);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&here, sizeof here) || listen(listening, 16)) return 1;
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int peer = accept(listening, NULL, NULL);
        if (peer < 0) continue;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!fork()) {
            close(listening);
            serve(peer);
        }
        close(peer);
    }
}
